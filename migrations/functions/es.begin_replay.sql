-- Begins a replay: versions that wait, in order. The stream stays locked for this subscription until the transaction ends.
create or replace function es.begin_replay(p_name text, p_stream text) returns bigint[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform 1 from es.subscription_parked k where k.subscription = p_name and k.stream_id = p_stream for update;
  return (select array_agg(q.version order by q.version) from es.subscription_queued q where q.subscription = p_name and q.stream_id = p_stream);
end $$;

revoke all on function es.begin_replay from public;
grant execute on function es.begin_replay to eci_fleet_app;
