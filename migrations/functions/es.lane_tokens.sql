-- We stay a little below the published rate, so that clocks that differ from the cloud's do not make us the one who is throttled.
create or replace function es.lane_tokens(p_lane es.lane, p_now timestamptz) returns double precision language sql immutable as $$
  select least(p_lane.burst,
               p_lane.tokens + p_lane.rate * 0.98 * p_lane.factor * greatest(0, extract(epoch from p_now - p_lane.refilled_at)))
$$;

revoke all on function es.lane_tokens from public;
grant execute on function es.lane_tokens to eci_fleet_app;
