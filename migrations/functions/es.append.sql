-- For release 0.1.0 alone: goes with 0.4.0, docs/developers/event-store.md.
-- Append: many streams, everything that goes with their events, and the inbox offset, in one transaction and one round trip.
--
-- Locks are taken in one order by everybody: stream after stream (heads, then their effects), then gates, then the inbox row last. So two
-- batches never wait for each other in a circle. A stream that fails leaves no trace; the others are written.
--
-- p_streams [{s, stream_id, expected, events, closed, effects, claim_kind, claim_key, claim_id, put_again}], s = 1 … n in any order
-- p_events  [{s, version, event_id, type, schema_version, data, metadata, digest}] in order of version within a stream
-- p_beside  {effects, timers, parked, aliases, sealed}, each a list of rows with `s`, or absent
-- p_inbox   {consumer_group, topic, epoch, partition, from, to}; it moves only when every stream was written
create or replace function es.append(p_streams json, p_events json, p_beside json, p_inbox json, p_jitter double precision)
returns table (s integer, outcome text, removed text[])
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- Plans are kept from when the tables were small: without this they would read whole tables once they are not.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_now      timestamptz := es.now();
  v_count    integer := json_array_length(p_streams);
  v_ids      text[] := array_fill(null::text, array[v_count]);
  v_outcome  text[] := array_fill(null::text, array[v_count]);
  -- Set for the streams that are written: the time of their events.
  v_recorded timestamptz[] := array_fill(null::timestamptz, array[v_count]);
  v_removed  jsonb;
  v_made     text[] := es.open_streams(p_streams, v_now);
  -- All that were to be new are new: no need to look each up.
  v_all_made boolean;
  v_all_ok   boolean := true;
  v_moved    integer;
  r          record;
  h          record;
begin
  select count(*) = cardinality(v_made) into v_all_made
    from json_to_recordset(p_streams) as x (expected bigint, events integer, claim_id text)
   where x.expected = 0 and x.events > 0 and x.claim_id is null;

  for r in
    select x.* from json_to_recordset(p_streams) as x (s integer, stream_id text, expected bigint, events integer, closed boolean,
      effects boolean, claim_kind text, claim_key text, claim_id text, put_again boolean)
     order by x.stream_id collate "C"
  loop
    v_ids[r.s] := r.stream_id;
    if r.expected = 0 and r.events > 0 and r.claim_id is null and (v_all_made or r.stream_id = any (v_made)) then
      v_outcome[r.s] := 'ok';
      v_recorded[r.s] := v_now;
      continue;
    end if;
    if r.effects then
      -- Head before effects, and all effects before the next head.
      perform 1 from es.stream h where h.stream_id = r.stream_id for no key update;
      perform 1 from es.effect e where e.stream_id = r.stream_id order by e.kind, e.key for update;
    end if;
    if r.claim_id is not null then
      perform 1 from es.effect e
       where e.stream_id = r.stream_id and e.kind = r.claim_kind and e.key = r.claim_key and e.claim_id = r.claim_id;
      if not found then
        v_outcome[r.s] := 'claim-lost';
        v_all_ok := false;
        continue;
      end if;
    end if;

    h := es.move_head(r.stream_id, r.expected, r.events, coalesce(r.closed, false), v_now);
    v_outcome[r.s] := h.outcome;
    if h.outcome <> 'ok' then
      v_all_ok := false;
      continue;
    end if;
    v_recorded[r.s] := h.recorded_at;
    if r.claim_id is not null then
      if r.put_again then
        update es.effect e set claim_id = null, run_at = v_now
         where e.stream_id = r.stream_id and e.kind = r.claim_kind and e.key = r.claim_key;
      else
        delete from es.effect e where e.stream_id = r.stream_id and e.kind = r.claim_kind and e.key = r.claim_key;
      end if;
    end if;
  end loop;

  if p_beside is not null then
    v_removed := es.append_beside(p_beside, v_ids, v_recorded, v_now, p_jitter);
  end if;

  if json_array_length(p_events) > 0 then
    if to_regclass('es.' || es.partition_name(v_now)) is null then perform es.ensure_partition(v_now); end if;
    insert into es.event (recorded_at, stream_id, version, event_id, type, schema_version, data, metadata, digest)
    select v_recorded[e.s], v_ids[e.s], e.version, e.event_id, e.type, e.schema_version, e.data, e.metadata, e.digest
      from json_to_recordset(p_events) as e (s integer, version bigint, event_id uuid, type text, schema_version smallint,
             data jsonb, metadata jsonb, digest bytea)
     where v_recorded[e.s] is not null
     order by e.s, e.version;
  end if;

  if p_inbox is not null then
    -- Where a stream failed the offset stays, but a consumer that was replaced is stopped all the same.
    if v_all_ok then
      update es.inbox_offset o set next_offset = (p_inbox ->> 'to')::bigint, moved_at = v_now
       where o.consumer_group = p_inbox ->> 'consumer_group' and o.topic = p_inbox ->> 'topic'
         and o.partition = (p_inbox ->> 'partition')::integer and o.epoch = (p_inbox ->> 'epoch')::integer
         and o.next_offset = (p_inbox ->> 'from')::bigint;
    else
      perform 1 from es.inbox_offset o
       where o.consumer_group = p_inbox ->> 'consumer_group' and o.topic = p_inbox ->> 'topic'
         and o.partition = (p_inbox ->> 'partition')::integer and o.epoch = (p_inbox ->> 'epoch')::integer
         and o.next_offset = (p_inbox ->> 'from')::bigint;
    end if;
    get diagnostics v_moved = row_count;
    if v_moved = 0 then
      raise exception 'inbox offset is not % any more', p_inbox ->> 'from' using errcode = 'ES001';
    end if;
  end if;

  return query
    select i, v_outcome[i], (select array_agg(x) from jsonb_array_elements_text(v_removed -> i::text) x) from generate_series(1, v_count) i;
end $$;

revoke all on function es.append from public;
grant execute on function es.append to eci_fleet_app;
