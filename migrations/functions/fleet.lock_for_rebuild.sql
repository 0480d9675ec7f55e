-- Keeps everybody from the tables that are about to be swapped: first the tables, then the reader, as the reader itself does.
create or replace function fleet.lock_for_rebuild(p_id uuid) returns table (generation integer, transaction_id xid8, "position" bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  lock table fleet.container_group, fleet.container_group_count in access exclusive mode;
  perform fleet.refuse_other_rebuild(p_id);
  return query select * from es.hold_subscription('project');
end $$;

revoke all on function fleet.lock_for_rebuild from public;
grant execute on function fleet.lock_for_rebuild to eci_fleet_app;
