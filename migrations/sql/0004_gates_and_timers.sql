-- Gates: what streams wait behind when there is no stock or quota, and when one of them may try again. Timers: what streams wait for.

create table es.gate (
  gate          text collate "C" primary key,
  -- shut: one stream at a time probes. slow: each success lets two more through. open: all may pass.
  state         text not null check (state in ('open', 'slow', 'shut')),
  interval_ms   integer not null,
  -- Of a shut gate: the next probe. Else: when streams that wait may be let through again.
  next_probe_at timestamptz not null,
  -- A probe was let out whose outcome is not known: only its refusal doubles the interval.
  probing       boolean not null default false,
  -- How many may be on the way at once, and how many of them may leave now.
  budget        integer not null default 0,
  credit        integer not null default 0,
  -- Refusals in a row at an open gate.
  streak        integer not null default 0,
  changed_at    timestamptz not null
) with (fillfactor = 50);

create table es.parked (
  stream_id text collate "C" primary key,
  gate      text collate "C" not null,
  priority  integer not null,
  deadline  timestamptz,
  since     timestamptz not null
);
create index parked_turn on es.parked (gate, priority desc, deadline, since);

-- The first stream that parks makes the gate, or shuts one that was open. Others do not touch its row: it would be one lock for all.
create function es.park_at(p_gate text, p_now timestamptz, p_jitter double precision) returns void language plpgsql as $$
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

create function es.due_gates(p_limit integer, p_lease_ms integer) returns table (gate text, budget integer, parked bigint)
language sql security definer set search_path = pg_catalog, pg_temp as $$
  with n as materialized (select es.now() as at), due as materialized (
    select g.gate, g.state, g.credit from es.gate g
     where g.next_probe_at <= (select at from n) and exists (select from es.parked p where p.gate = g.gate)
     order by g.next_probe_at limit p_limit for update of g skip locked
  )
  update es.gate g
     set next_probe_at = (select at from n) + make_interval(secs => p_lease_ms / 1000.0), probing = true, credit = 0
    from due d where g.gate = d.gate
  returning g.gate, case d.state when 'open' then 200 else greatest(1, d.credit) end,
            (select count(*) from es.parked p where p.gate = g.gate)
$$;

create function es.report_gate(p_gate text, p_accepted boolean, p_jitter double precision) returns void
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

create table es.timer (
  stream_id text collate "C" not null,
  name      text collate "C" not null,
  due_at    timestamptz not null,
  -- due_at, or the end of the claim of whoever works on it.
  run_at    timestamptz not null,
  data      jsonb not null,
  primary key (stream_id, name)
) with (fillfactor = 80);
create index timer_due on es.timer (run_at);

create function es.claim_timers(p_limit integer, p_lease_ms integer) returns setof es.timer
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

-- With `p_due_at`: only the timer that was seen, not one that was put again meanwhile.
create function es.remove_timer(p_stream text, p_name text, p_due_at timestamptz) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from es.timer t where t.stream_id = p_stream and t.name = p_name and (p_due_at is null or t.due_at = p_due_at)
$$;

grant select on all tables in schema es to eci_fleet_app;
revoke all on all functions in schema es from public;
grant execute on function es.due_gates(integer, integer), es.report_gate(text, boolean, double precision),
  es.claim_timers(integer, integer), es.remove_timer(text, text, timestamptz) to eci_fleet_app;
