-- A second of accepted calls: a step up, never above the published rate.
create or replace function es.lane_accepted(p_lane text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update es.lane l
     set factor = least(1, l.factor + 0.03), factor_moved_at = n.at, tokens = es.lane_tokens(l, n.at), refilled_at = n.at
    from (select es.now() as at) n
   where l.lane = p_lane and l.rate is not null and l.factor < 1 and l.factor_moved_at <= n.at - interval '1 second'
$$;

revoke all on function es.lane_accepted from public;
grant execute on function es.lane_accepted to eci_fleet_app;
