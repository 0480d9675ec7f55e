-- Subscriptions: who reads, which streams are parked for a subscription because an event of theirs could not be handled, and how far behind
-- readers are.

-- Gives the subscription to `p_owner` when it is free, lapsed or already its own; no row: somebody else reads.
create function es.lease_subscription(p_name text, p_owner text, p_lease_ms integer) returns setof es.subscription
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into es.subscription as s (name, generation, owner, leased_until, moved_at)
  select p_name, l.generation, p_owner, n.at + make_interval(secs => p_lease_ms / 1000.0), n.at
    from es.log l, (select es.now() as at) n
  on conflict (name) do update set owner = excluded.owner, leased_until = excluded.leased_until
   where s.owner is null or s.owner = excluded.owner or s.leased_until <= excluded.moved_at
  returning s.*
$$;

create function es.leave_subscription(p_name text, p_owner text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ update es.subscription s set owner = null, leased_until = es.now() where s.name = p_name and s.owner = p_owner $$;

create table es.subscription_parked (
  subscription text not null references es.subscription (name) on delete cascade,
  stream_id    text collate "C" not null,
  -- The event that could not be handled, and what was said.
  version      bigint not null,
  error        text not null,
  since        timestamptz not null,
  primary key (subscription, stream_id)
);
-- That event and all later ones of its stream, waiting for a replay.
create table es.subscription_queued (
  subscription text not null,
  stream_id    text collate "C" not null,
  version      bigint not null,
  primary key (subscription, stream_id, version),
  foreign key (subscription, stream_id) references es.subscription_parked on delete cascade
);

create function es.park_for_subscription(p_name text, p_stream text, p_version bigint, p_error text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into es.subscription_parked (subscription, stream_id, version, error, since)
  values (p_name, p_stream, p_version, p_error, es.now()) on conflict do nothing;
  insert into es.subscription_queued values (p_name, p_stream, p_version) on conflict do nothing;
end $$;

-- Queues the events whose stream is parked; answers which streams those are. The lock makes a replay wait for us, and us for a replay.
create function es.queue_parked(p_name text, p_streams text[], p_versions bigint[]) returns text[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_parked text[];
begin
  select array_agg(k.stream_id) into v_parked
    from (select k.stream_id from es.subscription_parked k
           where k.subscription = p_name and k.stream_id = any (p_streams) order by k.stream_id for key share) k;
  if v_parked is not null then
    insert into es.subscription_queued
    select p_name, e.stream_id, e.version from unnest(p_streams, p_versions) e (stream_id, version) where e.stream_id = any (v_parked)
    on conflict do nothing;
  end if;
  return coalesce(v_parked, '{}');
end $$;

-- Begins a replay: versions that wait, in order. The stream stays locked for this subscription until the transaction ends.
create function es.begin_replay(p_name text, p_stream text) returns bigint[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform 1 from es.subscription_parked k where k.subscription = p_name and k.stream_id = p_stream for update;
  return (select array_agg(q.version order by q.version) from es.subscription_queued q where q.subscription = p_name and q.stream_id = p_stream);
end $$;

create function es.end_replay(p_name text, p_stream text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ delete from es.subscription_parked k where k.subscription = p_name and k.stream_id = p_stream $$;

-- How long committed events have been hidden from readers, and whose transaction hides them. Definer: others' sessions are not for everyone.
create function es.horizon_lag() returns table (seconds double precision, blocking_pid integer, application text, database text, blocking_seconds double precision)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select greatest(0, coalesce((select extract(epoch from es.now() - min(e.recorded_at)) from es.event e where e.transaction_id >= es.horizon()), 0)),
         b.pid, b.application_name, b.datname::text, extract(epoch from clock_timestamp() - b.xact_start)
    from (select 1) one
    left join lateral (
      select a.pid, a.application_name, a.datname, a.xact_start from pg_locks l join pg_stat_activity a on a.pid = l.pid
       where l.locktype = 'transactionid' and l.granted and l.mode = 'ExclusiveLock' and l.transactionid = es.horizon()::xid limit 1
    ) b on true
$$;

-- Events behind are counted to 100,000.
create function es.subscription_lag()
returns table (name text, owner text, events bigint, seconds double precision, parked_streams bigint, queued_events bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select s.name, s.owner,
         (select count(*) from (select 1 from es.event e
                                 where (e.transaction_id, e.position) > (s.last_transaction_id, s.last_position) limit 100000) x),
         greatest(0, coalesce(extract(epoch from es.now() - (select e.recorded_at from es.event e
           where (e.transaction_id, e.position) > (s.last_transaction_id, s.last_position)
           order by e.transaction_id, e.position limit 1)), 0)),
         (select count(*) from es.subscription_parked k where k.subscription = s.name),
         (select count(*) from es.subscription_queued q where q.subscription = s.name)
    from es.subscription s
$$;

grant select on all tables in schema es to eci_fleet_app;
revoke all on all functions in schema es from public;
grant execute on function es.lease_subscription(text, text, integer), es.leave_subscription(text, text),
  es.park_for_subscription(text, text, bigint, text), es.queue_parked(text, text[], bigint[]), es.begin_replay(text, text),
  es.end_replay(text, text), es.horizon_lag(), es.subscription_lag() to eci_fleet_app;
