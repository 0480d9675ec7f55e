-- Outcome of a probe or of ordinary traffic. shut → slow with the first success, slow → open at a budget of 32; a refusal while slow, or two in a row
-- while open, shut it; a probe that is refused doubles the wait, to a minute.
create or replace function es.report_gate(p_gate text, p_accepted boolean, p_jitter double precision) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  g     es.gate;
  v_now timestamptz := es.now();
begin
  select * into g from es.gate x where x.gate = p_gate;
  -- Ordinary traffic through an open gate must not queue for its row.
  if not found or (g.state = 'open' and p_accepted and g.streak = 0) then return; end if;
  select * into g from es.gate x where x.gate = p_gate for update;

  if p_accepted and g.state = 'shut' then
    g.state := 'slow'; g.budget := 2; g.credit := 2; g.interval_ms := 4000; g.next_probe_at := v_now; g.changed_at := v_now;
  elsif p_accepted and g.state = 'slow' then
    g.budget := g.budget + 1; g.credit := g.credit + 2; g.next_probe_at := v_now;
    if g.budget >= 32 then g.state := 'open'; g.changed_at := v_now; end if;
  elsif p_accepted then
    g.streak := 0;
  elsif g.state = 'shut' then
    -- Refusals of calls that were on the way when it shut say nothing new.
    if not g.probing then return; end if;
    g.interval_ms := least(60000, g.interval_ms * 2);
  elsif g.state = 'open' and g.streak = 0 then
    g.streak := 1;
  else
    g.state := 'shut'; g.budget := 0; g.credit := 0; g.streak := 0; g.interval_ms := 4000; g.changed_at := v_now;
  end if;
  if g.state = 'shut' then g.next_probe_at := v_now + make_interval(secs => g.interval_ms / 1000.0 * (0.8 + 0.4 * p_jitter)); end if;
  update es.gate x
     set state = g.state, interval_ms = g.interval_ms, next_probe_at = g.next_probe_at, probing = false, budget = g.budget,
         credit = g.credit, streak = g.streak, changed_at = g.changed_at
   where x.gate = p_gate;
end $$;

revoke all on function es.report_gate from public;
grant execute on function es.report_gate to eci_fleet_app;
