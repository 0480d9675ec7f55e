-- The first stream that parks makes the gate, or shuts one that was open. Others do not touch its row: it would be one lock for all.
create or replace function es.park_at(p_gate text, p_now timestamptz, p_jitter double precision) returns void language plpgsql as $$
begin
  perform 1 from es.gate g where g.gate = p_gate and g.state <> 'open';
  if found then return; end if;
  insert into es.gate as g (gate, state, interval_ms, next_probe_at, changed_at)
  values (p_gate, 'shut', 4000, p_now + make_interval(secs => 4 * (0.8 + 0.4 * p_jitter)), p_now)
  on conflict (gate) do update
    set state = 'shut', interval_ms = 4000, next_probe_at = excluded.next_probe_at, probing = false, budget = 0, credit = 0, streak = 0,
        changed_at = p_now
    where g.state = 'open';
end $$;

revoke all on function es.park_at from public;
