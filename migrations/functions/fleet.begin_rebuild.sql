-- Begins anew, whatever an earlier one left: empty tables beside the ones that serve, standing where the reader of the read model stands now.
create or replace function fleet.begin_rebuild(p_id uuid) returns setof fleet.rebuild
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  drop table if exists fleet.container_group_shadow, fleet.container_group_count_shadow;
  create table fleet.container_group_shadow (like fleet.container_group including defaults including constraints including storage including compression);
  alter table fleet.container_group_shadow add constraint container_group_shadow_pkey primary key (stream_id);
  create table fleet.container_group_count_shadow (like fleet.container_group_count including defaults including constraints);
  alter table fleet.container_group_count_shadow add constraint container_group_count_shadow_pkey primary key (cluster_id, life, zone);
  grant select, insert, update, delete on fleet.container_group_shadow, fleet.container_group_count_shadow to eci_fleet_app;
  delete from fleet.rebuild;
  return query
    insert into fleet.rebuild (id, started_at, generation, last_transaction_id, last_position)
    select p_id, es.now(), l.generation, coalesce(s.last_transaction_id, '0'), coalesce(s.last_position, 0)
      from es.log l left join es.subscription s on s.name = 'project' and s.generation = l.generation
    returning *;
end $$;

revoke all on function fleet.begin_rebuild from public;
grant execute on function fleet.begin_rebuild to eci_fleet_app;
