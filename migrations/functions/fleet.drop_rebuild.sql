-- Gives up: nothing of it is left.
create or replace function fleet.drop_rebuild(p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from fleet.rebuild r where r.id = p_id;
  if found then drop table if exists fleet.container_group_shadow, fleet.container_group_count_shadow; end if;
end $$;

revoke all on function fleet.drop_rebuild from public;
grant execute on function fleet.drop_rebuild to eci_fleet_app;
