-- The event could not be handled: it and all later ones of its stream wait for a replay.
create or replace function es.park_for_subscription(p_name text, p_stream text, p_version bigint, p_error text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into es.subscription_parked (subscription, stream_id, version, error, since)
  values (p_name, p_stream, p_version, p_error, es.now()) on conflict do nothing;
  insert into es.subscription_queued values (p_name, p_stream, p_version) on conflict do nothing;
end $$;

revoke all on function es.park_for_subscription from public;
grant execute on function es.park_for_subscription to eci_fleet_app;
