-- The reader of that name cannot move while this transaction lasts; returns where it stands.
create or replace function es.hold_subscription(p_name text) returns table (generation integer, transaction_id xid8, "position" bigint)
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select s.generation, s.last_transaction_id, s.last_position from es.subscription s where s.name = p_name for no key update
$$;

revoke all on function es.hold_subscription from public;
grant execute on function es.hold_subscription to eci_fleet_app;
