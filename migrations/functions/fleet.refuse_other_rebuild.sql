-- Its id is the fence: whoever began later has replaced this rebuild.
create or replace function fleet.refuse_other_rebuild(p_id uuid) returns void language plpgsql as $$
begin
  perform 1 from fleet.rebuild r where r.id = p_id for key share;
  if not found then
    raise exception 'another rebuild has begun, this one is over' using errcode = 'RB001';
  end if;
end $$;

revoke all on function fleet.refuse_other_rebuild from public;
grant execute on function fleet.refuse_other_rebuild to eci_fleet_app;
