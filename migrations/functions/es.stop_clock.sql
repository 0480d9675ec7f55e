-- For tests only: the application may not execute it.
create or replace function es.stop_clock(p_at timestamptz) returns void language sql as
$$ update es.clock set stands_at = p_at $$;

revoke all on function es.stop_clock from public;
