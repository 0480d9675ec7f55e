-- When a stream is closed, the time begins after which the key of its events is forgotten. Trigger of es.stream.
create or replace function es.close_event_key() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update es.event_key set closed_at = new.closed_at where stream_id = new.stream_id;
  return null;
end $$;

revoke all on function es.close_event_key from public;
