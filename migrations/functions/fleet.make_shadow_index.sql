-- One of fleet.missing_shadow_indexes(), on the shadow.
create or replace function fleet.make_shadow_index(p_id uuid, p_name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_definition text;
begin
  perform fleet.refuse_other_rebuild(p_id);
  select format(w.definition, left(p_name, 56) || '_shadow', 'fleet.container_group_shadow') into v_definition
    from fleet.container_group_indexes() w where w.name = p_name;
  if v_definition is null then
    v_definition := replace(
      replace(pg_get_indexdef(to_regclass('fleet.' || quote_ident(p_name))), ' ON fleet.container_group ', ' ON fleet.container_group_shadow '),
      'INDEX ' || quote_ident(p_name) || ' ', 'INDEX ' || quote_ident(left(p_name, 56) || '_shadow') || ' ');
  end if;
  execute v_definition;
end $$;

revoke all on function fleet.make_shadow_index from public;
grant execute on function fleet.make_shadow_index to eci_fleet_app;
