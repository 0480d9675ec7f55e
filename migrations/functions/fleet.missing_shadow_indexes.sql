-- Names of the indexes that the table which serves has or should have, and the shadow lacks; the caller makes one at a time.
create or replace function fleet.missing_shadow_indexes() returns setof text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with wanted (name) as (
    select i.relname::text from pg_index x join pg_class i on i.oid = x.indexrelid
     where x.indrelid = 'fleet.container_group'::regclass and not x.indisprimary and x.indisvalid
    union select name from fleet.container_group_indexes()
  )
  select w.name from wanted w where to_regclass('fleet.' || quote_ident(left(w.name, 56) || '_shadow')) is null order by 1
$$;

revoke all on function fleet.missing_shadow_indexes from public;
grant execute on function fleet.missing_shadow_indexes to eci_fleet_app;
