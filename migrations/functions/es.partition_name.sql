-- The partition of es.event in which a time lies.
create or replace function es.partition_name(p_at timestamptz) returns text language sql immutable as
$$ select 'event_' || to_char(p_at at time zone 'UTC', 'YYYY_MM') $$;

revoke all on function es.partition_name from public;
grant execute on function es.partition_name to eci_fleet_app;
