-- The cloud throttled us: at most one step down a second, however many workers and replicas say so. What was saved up is void as well: the
-- cloud's bucket is evidently empty.
create or replace function es.lane_throttled(p_lane text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update es.lane l set factor = greatest(0.05, l.factor * 0.85), factor_moved_at = n.at, tokens = 0, refilled_at = n.at
    from (select es.now() as at) n
   where l.lane = p_lane and l.rate is not null and l.factor_moved_at <= n.at - interval '1 second'
$$;

revoke all on function es.lane_throttled from public;
grant execute on function es.lane_throttled to eci_fleet_app;
