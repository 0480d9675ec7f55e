-- This month and `p_months` after it. Called at start and now and then; an append makes a missing month itself.
create or replace function es.make_partitions(p_months integer default 3) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  for i in 0 .. p_months loop
    perform es.ensure_partition(es.now() + make_interval(months => i));
  end loop;
end $$;

revoke all on function es.make_partitions from public;
grant execute on function es.make_partitions to eci_fleet_app;
