-- Not even the owner or a superuser changes history by a slip of the hand; whoever archives says so by `set role eci_fleet_archiver`.
create or replace function es.refuse_change() returns trigger language plpgsql as $$
begin
  if current_user = 'eci_fleet_archiver' then
    if tg_op = 'DELETE' then return old; end if;
    return new;
  end if;
  raise exception 'events are never changed: % on %.% refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege', hint = 'Archiving is done by role eci_fleet_archiver.';
end $$;

revoke all on function es.refuse_change from public;
