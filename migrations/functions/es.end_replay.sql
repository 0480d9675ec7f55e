-- All that waited was handled: the stream is parked no longer.
create or replace function es.end_replay(p_name text, p_stream text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ delete from es.subscription_parked k where k.subscription = p_name and k.stream_id = p_stream $$;

revoke all on function es.end_replay from public;
grant execute on function es.end_replay to eci_fleet_app;
