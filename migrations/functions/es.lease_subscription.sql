-- Gives the subscription to `p_owner` when it is free, lapsed or already its own; no row: somebody else reads.
create or replace function es.lease_subscription(p_name text, p_owner text, p_lease_ms integer) returns setof es.subscription
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into es.subscription as s (name, generation, owner, leased_until, moved_at)
  select p_name, l.generation, p_owner, n.at + make_interval(secs => p_lease_ms / 1000.0), n.at
    from es.log l, (select es.now() as at) n
  on conflict (name) do update set owner = excluded.owner, leased_until = excluded.leased_until
   where s.owner is null or s.owner = excluded.owner or s.leased_until <= excluded.moved_at
  returning s.*
$$;

revoke all on function es.lease_subscription from public;
grant execute on function es.lease_subscription to eci_fleet_app;
