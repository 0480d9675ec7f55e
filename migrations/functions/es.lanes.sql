-- First due time of each lane; a step of the recursion is one step of the index.
create or replace function es.lanes() returns table (lane text, first_run_at timestamptz) language sql stable
set enable_seqscan = off set enable_bitmapscan = off as $$
  with recursive step (lane, run_at) as (
    (select e.lane, e.run_at from es.effect e order by e.lane, e.run_at limit 1)
    union all
    select n.lane, n.run_at from step s
     cross join lateral (select e.lane, e.run_at from es.effect e where e.lane > s.lane order by e.lane, e.run_at limit 1) n
  )
  select lane, run_at from step
$$;

revoke all on function es.lanes from public;
grant execute on function es.lanes to eci_fleet_app;
