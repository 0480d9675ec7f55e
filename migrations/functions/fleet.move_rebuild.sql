-- Notes how far the shadow has come.
create or replace function fleet.move_rebuild(p_id uuid, p_to_transaction xid8, p_to_position bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update fleet.rebuild r set last_transaction_id = p_to_transaction, last_position = p_to_position where r.id = p_id;
  if not found then
    raise exception 'another rebuild has begun, this one is over' using errcode = 'RB001';
  end if;
end $$;

revoke all on function fleet.move_rebuild from public;
grant execute on function fleet.move_rebuild to eci_fleet_app;
