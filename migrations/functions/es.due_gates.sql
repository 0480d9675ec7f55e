-- Gates that may be tried, each locked until the lease is over, with how many streams may leave.
create or replace function es.due_gates(p_limit integer, p_lease_ms integer) returns table (gate text, budget integer, parked bigint)
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

revoke all on function es.due_gates from public;
grant execute on function es.due_gates to eci_fleet_app;
