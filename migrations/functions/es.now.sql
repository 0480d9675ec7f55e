-- The only source of time in SQL. Volatile: in a condition write `(select es.now())`, or an index is not used.
create or replace function es.now() returns timestamptz language sql volatile parallel unsafe as
$$ select coalesce(stands_at, clock_timestamp()) + offset_by from es.clock $$;

revoke all on function es.now from public;
grant execute on function es.now to eci_fleet_app;
