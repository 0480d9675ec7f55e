-- The shadow takes the place of the table that serves. In one transaction with the lock, so that nobody sees anything between.
create or replace function fleet.take_rebuild(p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_name text;
begin
  delete from fleet.rebuild r where r.id = p_id;
  if not found then
    raise exception 'another rebuild has begun, this one is over' using errcode = 'RB001';
  end if;
  drop table fleet.container_group;
  alter table fleet.container_group_shadow rename to container_group;
  alter table fleet.container_group rename constraint container_group_shadow_pkey to container_group_pkey;
  for v_name in
    select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid
     where x.indrelid = 'fleet.container_group'::regclass and i.relname like '%\_shadow'
  loop
    execute format('alter index fleet.%I rename to %I', v_name, left(v_name, -7));
  end loop;
  drop table fleet.container_group_count;
  alter table fleet.container_group_count_shadow rename to container_group_count;
  alter table fleet.container_group_count rename constraint container_group_count_shadow_pkey to container_group_count_pkey;
end $$;

revoke all on function fleet.take_rebuild from public;
grant execute on function fleet.take_rebuild to eci_fleet_app;
