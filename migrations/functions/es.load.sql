-- Streams in order of version. The window of the head leaves only the partitions in which a stream has events.
create or replace function es.load(p_streams text[]) returns setof es.event
language sql stable set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  select e.* from unnest(p_streams) i (stream_id)
    join es.stream s on s.stream_id = i.stream_id
   cross join lateral (
     select * from es.event e
      where e.stream_id = s.stream_id and e.recorded_at >= s.opened_at and e.recorded_at <= s.last_recorded_at
      order by e.version
   ) e
$$;

revoke all on function es.load from public;
grant execute on function es.load to eci_fleet_app;
