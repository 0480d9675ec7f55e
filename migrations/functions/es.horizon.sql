-- Rule 1, horizon. Positions are handed out before commit, so a later position may be visible before an earlier one. Readers stop before the
-- oldest transaction that is still writing, anywhere on the server: everything older is settled.
create or replace function es.horizon() returns xid8 language sql stable as
$$ select pg_snapshot_xmin(pg_current_snapshot()) $$;

revoke all on function es.horizon from public;
grant execute on function es.horizon to eci_fleet_app;
