-- So that the first queries on the table that takes the place are planned by what is in it.
create or replace function fleet.analyze_shadow() returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  execute 'analyze fleet.container_group_shadow';
end $$;

revoke all on function fleet.analyze_shadow from public;
grant execute on function fleet.analyze_shadow to eci_fleet_app;
