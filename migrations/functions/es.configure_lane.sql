-- The published rate and burst of a lane; what was learnt about it stays.
create or replace function es.configure_lane(p_lane text, p_rate double precision, p_burst double precision) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_now timestamptz := es.now();
begin
  insert into es.lane (lane, rate, burst, tokens, refilled_at, factor_moved_at)
  values (p_lane, p_rate, p_burst, p_burst, v_now, v_now - interval '1 hour')
  on conflict do nothing;
  if found then return; end if;
  update es.lane l
     set rate = p_rate, burst = p_burst, refilled_at = v_now,
         tokens = least(p_burst, case when l.rate is null then p_burst else es.lane_tokens(l, v_now) end)
   where l.lane = p_lane and (l.rate, l.burst) is distinct from (p_rate, p_burst);
end $$;

revoke all on function es.configure_lane from public;
grant execute on function es.configure_lane to eci_fleet_app;
