-- The list of container groups at millions of rows, and read models that are rebuilt beside the one that serves.

-- List pages --------------------------------------------------------------------------------------------------------------------------------
-- Every filter of the list has an index that ends in the list's order, so that a page is read off the index: no sort, no count.
-- `%s` is the table, so that the same indexes are made for a table that will take its place.
create function fleet.container_group_indexes() returns table (name text, definition text) language sql immutable as $$
  values ('container_group_of_namespace_in_order', 'create index %I on %s (namespace, requested_at desc, stream_id desc)'),
         ('container_group_of_name_in_order', 'create index %I on %s (name, requested_at desc, stream_id desc)'),
         ('container_group_of_phase_in_order', 'create index %I on %s (phase, requested_at desc, stream_id desc) where phase is not null'),
         ('container_group_of_account_in_order', 'create index %I on %s (account_id, requested_at desc, stream_id desc) where account_id is not null'),
         ('container_group_of_region_in_order', 'create index %I on %s (region, requested_at desc, stream_id desc) where region is not null'),
         ('container_group_of_cluster_and_life_in_order', 'create index %I on %s (cluster_id, life, requested_at desc, stream_id desc)')
$$;

-- A small table gets them now, in a moment. On a large one that would keep the projection waiting and stall every reader of the log, so there a
-- rebuild makes them: `fleet rebuild` builds the new table with all of them while the old one serves.
do $$
declare
  v_index record;
begin
  if (select count(*) from (select 1 from fleet.container_group limit 200001) x) > 200000 then
    raise notice 'fleet.container_group is large: run `npm run fleet -- rebuild`, which makes its new indexes while it serves';
    return;
  end if;
  for v_index in select * from fleet.container_group_indexes() loop
    execute format(v_index.definition, v_index.name, 'fleet.container_group');
  end loop;
end $$;

-- Rebuild -----------------------------------------------------------------------------------------------------------------------------------
-- The rebuild that is under way, and how far its tables have come. Its id is the fence: whoever began later has replaced it.
create table fleet.rebuild (
  only_row            boolean primary key default true check (only_row),
  id                  uuid not null,
  started_at          timestamptz not null,
  generation          integer not null,
  last_transaction_id xid8 not null,
  last_position       bigint not null
);

-- Begins anew, whatever an earlier one left: empty tables beside the ones that serve, standing where the reader of the read model stands now.
create function fleet.begin_rebuild(p_id uuid) returns setof fleet.rebuild
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  drop table if exists fleet.container_group_shadow, fleet.container_group_count_shadow;
  create table fleet.container_group_shadow (like fleet.container_group including defaults including constraints including storage including compression);
  alter table fleet.container_group_shadow add constraint container_group_shadow_pkey primary key (stream_id);
  create table fleet.container_group_count_shadow (like fleet.container_group_count including defaults including constraints);
  alter table fleet.container_group_count_shadow add constraint container_group_count_shadow_pkey primary key (cluster_id, life, zone);
  grant select, insert, update, delete on fleet.container_group_shadow, fleet.container_group_count_shadow to eci_fleet_app;
  delete from fleet.rebuild;
  return query
    insert into fleet.rebuild (id, started_at, generation, last_transaction_id, last_position)
    select p_id, es.now(), l.generation, coalesce(s.last_transaction_id, '0'), coalesce(s.last_position, 0)
      from es.log l left join es.subscription s on s.name = 'project' and s.generation = l.generation
    returning *;
end $$;

create function fleet.refuse_other_rebuild(p_id uuid) returns void language plpgsql as $$
begin
  perform 1 from fleet.rebuild r where r.id = p_id for key share;
  if not found then
    raise exception 'another rebuild has begun, this one is over' using errcode = 'RB001';
  end if;
end $$;

-- Names of the indexes that the table which serves has or should have, and the shadow lacks; the caller makes one at a time.
create function fleet.missing_shadow_indexes() returns setof text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with wanted (name) as (
    select i.relname::text from pg_index x join pg_class i on i.oid = x.indexrelid
     where x.indrelid = 'fleet.container_group'::regclass and not x.indisprimary and x.indisvalid
    union select name from fleet.container_group_indexes()
  )
  select w.name from wanted w where to_regclass('fleet.' || quote_ident(left(w.name, 56) || '_shadow')) is null order by 1
$$;

create function fleet.make_shadow_index(p_id uuid, p_name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_definition text;
begin
  perform fleet.refuse_other_rebuild(p_id);
  select format(w.definition, left(p_name, 56) || '_shadow', 'fleet.container_group_shadow') into v_definition
    from fleet.container_group_indexes() w where w.name = p_name;
  if v_definition is null then
    v_definition := replace(
      replace(pg_get_indexdef(to_regclass('fleet.' || quote_ident(p_name))), ' ON fleet.container_group ', ' ON fleet.container_group_shadow '),
      'INDEX ' || quote_ident(p_name) || ' ', 'INDEX ' || quote_ident(left(p_name, 56) || '_shadow') || ' ');
  end if;
  execute v_definition;
end $$;

create function fleet.analyze_shadow() returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  execute 'analyze fleet.container_group_shadow';
end $$;

create function fleet.move_rebuild(p_id uuid, p_to_transaction xid8, p_to_position bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update fleet.rebuild r set last_transaction_id = p_to_transaction, last_position = p_to_position where r.id = p_id;
  if not found then
    raise exception 'another rebuild has begun, this one is over' using errcode = 'RB001';
  end if;
end $$;

-- The reader of that name cannot move while this transaction lasts; answers where it stands.
create function es.hold_subscription(p_name text) returns table (generation integer, transaction_id xid8, "position" bigint)
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select s.generation, s.last_transaction_id, s.last_position from es.subscription s where s.name = p_name for no key update
$$;

-- Keeps everybody from the tables that are about to be swapped: first the tables, then the reader, as the reader itself does.
create function fleet.lock_for_rebuild(p_id uuid) returns table (generation integer, transaction_id xid8, "position" bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  lock table fleet.container_group, fleet.container_group_count in access exclusive mode;
  perform fleet.refuse_other_rebuild(p_id);
  return query select * from es.hold_subscription('project');
end $$;

-- The shadow takes the place of the table that serves. In one transaction with the lock, so that nobody sees anything between.
create function fleet.take_rebuild(p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_name text;
begin
  delete from fleet.rebuild r where r.id = p_id;
  if not found then
    raise exception 'another rebuild has begun, this one is over' using errcode = 'RB001';
  end if;
  drop table fleet.container_group;
  alter table fleet.container_group_shadow rename to container_group;
  alter table fleet.container_group rename constraint container_group_shadow_pkey to container_group_pkey;
  for v_name in
    select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid
     where x.indrelid = 'fleet.container_group'::regclass and i.relname like '%\_shadow'
  loop
    execute format('alter index fleet.%I rename to %I', v_name, left(v_name, -7));
  end loop;
  drop table fleet.container_group_count;
  alter table fleet.container_group_count_shadow rename to container_group_count;
  alter table fleet.container_group_count rename constraint container_group_count_shadow_pkey to container_group_count_pkey;
end $$;

-- Gives up: nothing of it is left.
create function fleet.drop_rebuild(p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from fleet.rebuild r where r.id = p_id;
  if found then drop table if exists fleet.container_group_shadow, fleet.container_group_count_shadow; end if;
end $$;

revoke all on function fleet.begin_rebuild(uuid), fleet.missing_shadow_indexes(), fleet.make_shadow_index(uuid, text), fleet.analyze_shadow(),
  fleet.move_rebuild(uuid, xid8, bigint), fleet.lock_for_rebuild(uuid), fleet.take_rebuild(uuid), fleet.drop_rebuild(uuid),
  es.hold_subscription(text) from public;
grant execute on function fleet.container_group_indexes(), fleet.begin_rebuild(uuid), fleet.refuse_other_rebuild(uuid),
  fleet.missing_shadow_indexes(), fleet.make_shadow_index(uuid, text), fleet.analyze_shadow(), fleet.move_rebuild(uuid, xid8, bigint),
  fleet.lock_for_rebuild(uuid), fleet.take_rebuild(uuid), fleet.drop_rebuild(uuid), es.hold_subscription(text) to eci_fleet_app;
