-- The event store: clock, streams, events in monthly partitions, and what lies beside a stream.
-- Every table is read by the application role; everything that writes is a function of this schema, so that no code goes round a rule.

-- Roles belong to the whole server: another database may make them at the same moment.
do $$ begin create role eci_fleet_app nologin; exception when duplicate_object or unique_violation then null; end $$;
do $$ begin create role eci_fleet_archiver nologin; exception when duplicate_object or unique_violation then null; end $$;
-- In the embedded mode the owner connects and takes the application's role; a login of your own is granted it by you.
do $$ begin
  execute format('grant eci_fleet_app, eci_fleet_archiver to %I', current_user);
exception when others then
  -- "tuple concurrently updated": another database grants the same at this moment. Anything else is a fault.
  if not pg_has_role(current_user, 'eci_fleet_app', 'member') then raise; end if;
end $$;

create schema if not exists es;
create schema if not exists fleet;
grant usage on schema es to eci_fleet_app, eci_fleet_archiver;
grant usage on schema fleet to eci_fleet_app;
-- Read models and settings of the fleet are ordinary tables: whatever a later migration adds there, the application may use.
alter default privileges in schema fleet grant select, insert, update, delete on tables to eci_fleet_app;
alter default privileges in schema fleet grant usage on sequences to eci_fleet_app;
alter default privileges in schema fleet grant execute on functions to eci_fleet_app;
-- Tables of `es` are for looking at.
alter default privileges in schema es grant select on tables to eci_fleet_app;

-- Time ---------------------------------------------------------------------------------------------------------------------------------------

create table es.clock (
  only_row  boolean primary key default true check (only_row),
  offset_by interval not null default '0',
  -- Not null: time stands still here.
  stands_at timestamptz
);
insert into es.clock default values;

-- The only source of time in SQL. Volatile: in a condition write `(select es.now())`, or an index is not used.
create function es.now() returns timestamptz language sql volatile parallel unsafe as
$$ select coalesce(stands_at, clock_timestamp()) + offset_by from es.clock $$;

-- For tests only: the application may not execute them.
create function es.set_clock_offset(p_offset interval) returns void language sql as
$$ update es.clock set offset_by = p_offset $$;
create function es.stop_clock(p_at timestamptz) returns void language sql as
$$ update es.clock set stands_at = p_at $$;

-- Log ----------------------------------------------------------------------------------------------------------------------------------------

-- A restored log counts transactions anew, so cursors of the old one mean nothing: the generation tells them apart.
create table es.log (
  only_row   boolean primary key default true check (only_row),
  generation integer not null default 1 check (generation > 0),
  began_at   timestamptz not null default clock_timestamp()
);
insert into es.log default values;

create sequence es.event_position as bigint;

-- Head of a stream: the lock, the guard of order, and the window of time in which its events lie.
create table es.stream (
  stream_id           text collate "C" primary key,
  version             bigint not null check (version > 0),
  last_transaction_id xid8 not null,
  last_recorded_at    timestamptz not null,
  opened_at           timestamptz not null,
  closed_at           timestamptz
) with (fillfactor = 80);

create table es.event (
  recorded_at    timestamptz not null,
  position       bigint not null default nextval('es.event_position'),
  transaction_id xid8 not null default pg_current_xact_id(),
  stream_id      text collate "C" not null,
  version        bigint not null,
  event_id       uuid not null,
  type           text collate "C" not null,
  schema_version smallint not null,
  data           jsonb not null,
  metadata       jsonb not null,
  -- SHA-256 over RFC 8785 JSON of {data, eventId, metadata, schemaVersion, streamId, type, version}, computed by the appender.
  digest         bytea not null check (octet_length(digest) = 32),
  primary key (stream_id, version, recorded_at)
) partition by range (recorded_at);
create index event_order on es.event (transaction_id, position);

grant select, delete, truncate on es.event to eci_fleet_archiver;
grant select on es.stream, es.log to eci_fleet_archiver;

-- Not even the owner or a superuser changes history by a slip of the hand; whoever archives says so by `set role eci_fleet_archiver`.
create function es.refuse_change() returns trigger language plpgsql as $$
begin
  if current_user = 'eci_fleet_archiver' then
    if tg_op = 'DELETE' then return old; end if;
    return new;
  end if;
  raise exception 'events are never changed: % on %.% refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege', hint = 'Archiving is done by role eci_fleet_archiver.';
end $$;
create trigger refuse_change before update or delete on es.event for each row execute function es.refuse_change();
create trigger refuse_truncate before truncate on es.event for each statement execute function es.refuse_change();

-- Partitions ---------------------------------------------------------------------------------------------------------------------------------

create function es.partition_name(p_at timestamptz) returns text language sql immutable as
$$ select 'event_' || to_char(p_at at time zone 'UTC', 'YYYY_MM') $$;

-- Makes the partition of the month of `p_at` when it is missing. Made beside and then attached: unlike `create table … partition of`, that
-- does not wait for readers and writers of the other months.
create function es.ensure_partition(p_at timestamptz) returns void language plpgsql as $$
declare
  v_name text := es.partition_name(p_at);
  v_from timestamp := date_trunc('month', p_at at time zone 'UTC');
begin
  if to_regclass('es.' || v_name) is not null then return; end if;
  -- One at a time. A lock of the table, not an advisory one: only with it does this session learn what the one before it made.
  lock table es.event in share update exclusive mode;
  if to_regclass('es.' || v_name) is not null then return; end if;
  execute format('create table es.%I (like es.event including defaults including constraints)', v_name);
  execute format('create trigger refuse_truncate before truncate on es.%I for each statement execute function es.refuse_change()', v_name);
  execute format('alter table es.event attach partition es.%I for values from (%L) to (%L)', v_name,
                 v_from at time zone 'UTC', (v_from + interval '1 month') at time zone 'UTC');
  -- Partitions do not inherit grants, and default privileges hold for tables of their maker only.
  execute format('grant select on es.%I to eci_fleet_app', v_name);
  execute format('grant select, delete, truncate on es.%I to eci_fleet_archiver', v_name);
end $$;

-- This month and `p_months` after it. Called at start and now and then; an append makes a missing month itself.
create function es.make_partitions(p_months integer default 3) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  for i in 0 .. p_months loop
    perform es.ensure_partition(es.now() + make_interval(months => i));
  end loop;
end $$;

-- Beside the stream --------------------------------------------------------------------------------------------------------------------------

create table es.alias (
  alias     text collate "C" primary key,
  stream_id text collate "C" not null
);

create table es.sealed (
  stream_id   text collate "C" primary key,
  key_id      text not null,
  wrapped_key bytea not null,
  sealed      bytea not null
);

create table es.inbox_offset (
  consumer_group text not null,
  topic          text not null,
  partition      integer not null,
  epoch          integer not null check (epoch > 0),
  next_offset    bigint not null check (next_offset >= 0),
  moved_at       timestamptz not null,
  primary key (consumer_group, topic, partition)
) with (fillfactor = 50);

create function es.begin_inbox_epoch(p_group text, p_topic text, p_partition integer, p_offset bigint) returns integer
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  insert into es.inbox_offset as o (consumer_group, topic, partition, epoch, next_offset, moved_at)
  values (p_group, p_topic, p_partition, 1, p_offset, es.now())
  on conflict (consumer_group, topic, partition)
  do update set epoch = o.epoch + 1, next_offset = excluded.next_offset, moved_at = excluded.moved_at
  returning epoch
$$;

-- How far each subscription has read, and who reads for it.
create table es.subscription (
  name                text primary key,
  generation          integer not null,
  last_transaction_id xid8 not null default '0',
  last_position       bigint not null default 0,
  owner               text,
  leased_until        timestamptz not null,
  moved_at            timestamptz not null
) with (fillfactor = 50);

select es.make_partitions(3);

grant select on all tables in schema es to eci_fleet_app;
revoke all on all functions in schema es from public;
grant execute on function es.now(), es.partition_name(timestamptz), es.make_partitions(integer),
  es.begin_inbox_epoch(text, text, integer, bigint) to eci_fleet_app;
