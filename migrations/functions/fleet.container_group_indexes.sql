-- Every filter of the list has an index that ends in the list's order, so that a page is read off the index: no sort, no count.
-- `%s` is the table, so that the same indexes are made for a table that will take its place.
create or replace function fleet.container_group_indexes() returns table (name text, definition text) language sql immutable as $$
  values ('container_group_of_namespace_in_order', 'create index %I on %s (namespace, requested_at desc, stream_id desc)'),
         ('container_group_of_name_in_order', 'create index %I on %s (name, requested_at desc, stream_id desc)'),
         ('container_group_of_phase_in_order', 'create index %I on %s (phase, requested_at desc, stream_id desc) where phase is not null'),
         ('container_group_of_account_in_order', 'create index %I on %s (account_id, requested_at desc, stream_id desc) where account_id is not null'),
         ('container_group_of_region_in_order', 'create index %I on %s (region, requested_at desc, stream_id desc) where region is not null'),
         ('container_group_of_cluster_and_life_in_order', 'create index %I on %s (cluster_id, life, requested_at desc, stream_id desc)')
$$;

revoke all on function fleet.container_group_indexes from public;
grant execute on function fleet.container_group_indexes to eci_fleet_app;
