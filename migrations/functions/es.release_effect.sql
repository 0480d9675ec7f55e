-- Gives a claimed row back, due after a while; false when the claim was lost. p_not_sent: no call of this claim took effect. p_refund: nothing was
-- called, so the lane gets its token back.
create or replace function es.release_effect(
  p_stream text, p_kind text, p_key text, p_claim_id text, p_after_ms bigint, p_not_sent boolean, p_data jsonb, p_refund boolean
) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_lane text;
begin
  update es.effect e
     set claim_id = null, run_at = es.now() + make_interval(secs => p_after_ms / 1000.0), data = coalesce(p_data, e.data),
         sent_now = e.sent_now and not p_not_sent
   where e.stream_id = p_stream and e.kind = p_kind and e.key = p_key and e.claim_id = p_claim_id
  returning e.lane into v_lane;
  if not found then return false; end if;
  if p_refund then update es.lane l set tokens = least(l.burst, l.tokens + 1) where l.lane = v_lane and l.rate is not null; end if;
  return true;
end $$;

revoke all on function es.release_effect from public;
grant execute on function es.release_effect to eci_fleet_app;
