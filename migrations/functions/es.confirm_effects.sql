-- Just before the call: which claims are still ours, marked as perhaps sent. Locks in the order in which appends lock, so they cannot deadlock.
create or replace function es.confirm_effects(p_streams text[], p_kinds text[], p_keys text[], p_claims text[], p_lease_ms integer)
returns table (stream_id text, kind text, key text)
language sql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  with held as materialized (
    select e.stream_id, e.kind, e.key
      from unnest(p_streams, p_kinds, p_keys, p_claims) r (stream_id, kind, key, claim_id)
      join es.effect e on (e.stream_id, e.kind, e.key) = (r.stream_id, r.kind, r.key) and e.claim_id = r.claim_id
     order by e.stream_id, e.kind, e.key
     for update of e
  )
  update es.effect e set sent_now = true, run_at = es.now() + make_interval(secs => p_lease_ms / 1000.0)
    from held h where (e.stream_id, e.kind, e.key) = (h.stream_id, h.kind, h.key)
  returning e.stream_id, e.kind, e.key
$$;

revoke all on function es.confirm_effects from public;
grant execute on function es.confirm_effects to eci_fleet_app;
