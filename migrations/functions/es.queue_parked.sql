-- Queues the events whose stream is parked; returns which streams those are. The lock makes a replay wait for us, and us for a replay.
create or replace function es.queue_parked(p_name text, p_streams text[], p_versions bigint[]) returns text[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_parked text[];
begin
  select array_agg(k.stream_id) into v_parked
    from (select k.stream_id from es.subscription_parked k
           where k.subscription = p_name and k.stream_id = any (p_streams) order by k.stream_id for key share) k;
  if v_parked is not null then
    insert into es.subscription_queued
    select p_name, e.stream_id, e.version from unnest(p_streams, p_versions) e (stream_id, version) where e.stream_id = any (v_parked)
    on conflict do nothing;
  end if;
  return coalesce(v_parked, '{}');
end $$;

revoke all on function es.queue_parked from public;
grant execute on function es.queue_parked to eci_fleet_app;
