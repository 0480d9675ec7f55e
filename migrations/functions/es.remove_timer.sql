-- With `p_due_at`: only the timer that was seen, not one that was put again meanwhile.
create or replace function es.remove_timer(p_stream text, p_name text, p_due_at timestamptz) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from es.timer t where t.stream_id = p_stream and t.name = p_name and (p_due_at is null or t.due_at = p_due_at)
$$;

revoke all on function es.remove_timer from public;
grant execute on function es.remove_timer to eci_fleet_app;
