-- Gives the subscription back, if it is still one's own.
create or replace function es.leave_subscription(p_name text, p_owner text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ update es.subscription s set owner = null, leased_until = es.now() where s.name = p_name and s.owner = p_owner $$;

revoke all on function es.leave_subscription from public;
grant execute on function es.leave_subscription to eci_fleet_app;
