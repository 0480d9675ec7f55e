-- Forgets keys of streams that were closed before, the longest closed first; returns how many.
create or replace function es.forget_event_keys(p_closed_before timestamptz, p_most integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  v_forgotten integer;
begin
  update es.event_key k set key_id = null, wrapped_key = null, forgotten_at = es.now()
   where k.stream_id in (
     select d.stream_id from es.event_key d
      where d.closed_at < p_closed_before and d.forgotten_at is null
      order by d.closed_at limit p_most for update skip locked);
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end $$;

revoke all on function es.forget_event_keys from public;
grant execute on function es.forget_event_keys to eci_fleet_app;
