-- Timers that are due, each claimed until the lease is over.
create or replace function es.claim_timers(p_limit integer, p_lease_ms integer) returns setof es.timer
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_now timestamptz := es.now();
begin
  return query
    with due as materialized (
      select t.stream_id, t.name from es.timer t where t.run_at <= v_now order by t.run_at limit p_limit for update skip locked
    )
    update es.timer t set run_at = v_now + make_interval(secs => p_lease_ms / 1000.0)
      from due d where (t.stream_id, t.name) = (d.stream_id, d.name)
    returning t.*;
end $$;

revoke all on function es.claim_timers from public;
grant execute on function es.claim_timers to eci_fleet_app;
