-- For tests only: the application may not execute it.
create or replace function es.set_clock_offset(p_offset interval) returns void language sql as
$$ update es.clock set offset_by = p_offset $$;

revoke all on function es.set_clock_offset from public;
