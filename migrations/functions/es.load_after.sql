-- es.load for readers who know the streams up to some version (0: nothing): one row at least for each stream that exists, with the version of its
-- head, and the events after the known one, in order. Events never change, so what is known needs no second look.
create or replace function es.load_after(p_streams text[], p_versions bigint[])
returns table (
  head_stream text, head_version bigint, recorded_at timestamptz, "position" bigint, transaction_id xid8, stream_id text, version bigint,
  event_id uuid, type text, schema_version smallint, data jsonb, metadata jsonb
) language sql stable set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  select s.stream_id, s.version, e.recorded_at, e.position, e.transaction_id, e.stream_id, e.version, e.event_id, e.type, e.schema_version,
         e.data, e.metadata
    from unnest(p_streams, p_versions) i (stream_id, version)
    join es.stream s on s.stream_id = i.stream_id
    left join lateral (
      select * from es.event e
       where e.stream_id = s.stream_id and e.version > i.version and e.recorded_at >= s.opened_at and e.recorded_at <= s.last_recorded_at
       order by e.version
    ) e on true
$$;

revoke all on function es.load_after from public;
grant execute on function es.load_after to eci_fleet_app;
