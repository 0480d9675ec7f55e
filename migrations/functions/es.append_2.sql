-- Append: many streams, everything that goes with their events, and the inbox offset, in one transaction and one round trip. Input comes as arrays
-- (sent in binary, so nothing is escaped and each event's JSON is read once), and statements go over all streams instead of several for each.
--
-- Locks are taken in one order by everybody: heads that are new; then stream after stream, head before effects; then gates; then the inbox row. So
-- two batches never wait for each other in a circle. A stream that fails leaves no trace; the others are written.
--
-- Rule 3 of the order of events, the stream guard: a transaction that got its id early and appends late would sort before versions that younger
-- transactions have committed meanwhile. It is refused, and appends again in a fresh transaction.
--
-- One element a stream: p_ids, p_expected, p_counts (its events), p_closed, p_touched (effect rows change), and where there are claims at all
-- p_claim_kinds, p_claim_keys, p_claim_ids, p_put_again.
-- One element an event, versions of a stream in order: p_event_s (its stream, from 1), p_versions, …
-- Rows beside the streams, each list with `s`, or null: p_put and p_removed (effects), p_timers, p_parked, p_aliases, p_sealed. Ciphertexts lie in
-- p_blobs, and the rows name their place in it: as hexadecimal text they were most of what had to be parsed.
-- p_inbox {consumer_group, topic, epoch, partition, from, to}: it moves only when every stream was written. p_jitter: 0–1, of the probe of a gate.
-- Returns a row for each stream that failed or lost effects; the others are written.
create or replace function es.append_2(
  p_ids text[], p_expected bigint[], p_counts integer[], p_closed boolean[], p_touched boolean[],
  p_claim_kinds text[], p_claim_keys text[], p_claim_ids text[], p_put_again boolean[],
  p_event_s integer[], p_versions bigint[], p_event_ids uuid[], p_types text[], p_schema_versions smallint[],
  p_data jsonb[], p_metadata jsonb[], p_digests bytea[],
  p_put json, p_removed json, p_timers json, p_parked json, p_aliases json, p_sealed json, p_blobs bytea[],
  p_inbox json, p_jitter double precision
) returns table (s integer, outcome text, removed text[])
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- Plans are kept from when the tables were small: without this they would read whole tables once they are not.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_now      timestamptz := es.now();
  v_count    integer := cardinality(p_ids);
  v_claims   boolean := p_claim_ids is not null;
  -- Set for the streams that are written: the time of their events.
  v_recorded timestamptz[];
  v_new      integer;
  v_made     text[];
  v_held     boolean[];
  v_some     boolean;
  v_all_ok   boolean;
  v_removed  jsonb;
  v_moved    integer;
begin
  -- Heads of new streams. An insert waits only for an insert of the same stream, in sorted order, and all of them come before any other lock.
  select count(*) into v_new from unnest(p_expected, p_counts, p_claim_ids) r (expected, events, claim_id)
   where r.expected = 0 and r.events > 0 and r.claim_id is null;
  if v_new > 0 then
    with made as (
      insert into es.stream (stream_id, version, last_transaction_id, last_recorded_at, opened_at, closed_at)
      select r.id, r.events, pg_current_xact_id(), v_now, v_now, case when r.closed then v_now end
        from unnest(p_ids, p_expected, p_counts, p_closed, p_claim_ids) r (id, expected, events, closed, claim_id)
       where r.expected = 0 and r.events > 0 and r.claim_id is null
       order by r.id collate "C"
      on conflict do nothing
      returning stream_id
    )
    select coalesce(array_agg(m.stream_id), '{}') into v_made from made m;
  end if;

  if v_count = 0 then
    v_recorded := '{}';
  elsif v_new = v_count and v_new = cardinality(v_made) then
    -- All were to be new and all are: no need to look each up.
    v_recorded := array_fill(v_now, array[v_count]);
  else
    -- The rows that decide, locked in the order of all appends. Where only heads are concerned their update below locks them, in this order.
    if true = any (p_touched) then
      perform h.one, e.one
         from (select r.id, r.touched
                 from unnest(p_ids, p_expected, p_counts, p_touched, p_claim_ids) r (id, expected, events, touched, claim_id)
                where not (r.expected = 0 and r.events > 0 and r.claim_id is null)
                order by r.id collate "C" offset 0) r
         left join lateral (select 1 as one from es.stream h where h.stream_id = r.id for no key update) h on true
         left join lateral (
           select 1 as one from es.effect e where r.touched and e.stream_id = r.id order by e.kind, e.key for update
         ) e on true;
    end if;
    if v_claims then
      select array_agg(r.claim_id is null or e.claim_id is not null order by r.s) into v_held
        from unnest(p_ids, p_claim_kinds, p_claim_keys, p_claim_ids) with ordinality r (id, kind, key, claim_id, s)
        left join es.effect e on e.stream_id = r.id and e.kind = r.kind and e.key = r.key and e.claim_id = r.claim_id;
    end if;

    with r as materialized (
      select r.* from unnest(p_ids, p_expected, p_counts, p_closed, p_claim_ids, v_held) with ordinality
             r (id, expected, events, closed, claim_id, held, s)
       order by r.id collate "C"
    ), moved as (
      update es.stream h
         set version = h.version + r.events,
             last_transaction_id = case when r.events > 0 then pg_current_xact_id() else h.last_transaction_id end,
             last_recorded_at = case when r.events > 0 then greatest(h.last_recorded_at, v_now) else h.last_recorded_at end,
             closed_at = case when r.closed then coalesce(h.closed_at, v_now) else h.closed_at end
        from r
       where r.expected > 0 and (r.events > 0 or r.closed) and r.held is not false
         and h.stream_id = r.id and h.version = r.expected
         -- The stream guard.
         and (r.events = 0 or h.last_transaction_id <= pg_current_xact_id())
      returning r.s, h.last_recorded_at as at
    )
    select array_agg(x.at order by x.s) into v_recorded
      from (
        select u.s, max(u.at) as at
          from (
            select m.s, m.at from moved m
            union all
            select r.s, case
                     when r.held is false then null
                     when r.expected = 0 and r.events > 0 then case when r.claim_id is null and r.id = any (v_made) then v_now end
                     when r.expected = 0 then case when not exists (select from es.stream h where h.stream_id = r.id) then v_now end
                     when r.events = 0 and r.closed is not true
                       then (select h.last_recorded_at from es.stream h where h.stream_id = r.id and h.version = r.expected)
                   end
              from r
          ) u
         group by u.s
      ) x;

    if v_claims then
      delete from es.effect e
       using unnest(p_ids, p_claim_kinds, p_claim_keys, p_claim_ids, p_put_again, v_recorded) r (id, kind, key, claim_id, again, at)
       where r.claim_id is not null and r.at is not null and r.again is not true
         and e.stream_id = r.id and e.kind = r.kind and e.key = r.key;
      select coalesce(bool_or(again), false) into v_some from unnest(p_put_again) again;
      if v_some then
        update es.effect e set claim_id = null, run_at = v_now
          from unnest(p_ids, p_claim_kinds, p_claim_keys, p_claim_ids, p_put_again, v_recorded) r (id, kind, key, claim_id, again, at)
         where r.claim_id is not null and r.at is not null and r.again
           and e.stream_id = r.id and e.kind = r.kind and e.key = r.key;
      end if;
    end if;
  end if;
  v_all_ok := array_position(v_recorded, null) is null;

  v_removed := es.append_beside_2(p_put, p_removed, p_timers, p_parked, p_aliases, p_sealed, p_blobs, p_ids, v_recorded, v_now, p_jitter);

  if cardinality(p_event_s) > 0 then
    if to_regclass('es.' || es.partition_name(v_now)) is null then perform es.ensure_partition(v_now); end if;
    insert into es.event (recorded_at, stream_id, version, event_id, type, schema_version, data, metadata, digest)
    select v_recorded[e.s], p_ids[e.s], e.version, e.event_id, e.type, e.schema_version, e.data, e.metadata, e.digest
      from unnest(p_event_s, p_versions, p_event_ids, p_types, p_schema_versions, p_data, p_metadata, p_digests)
           e (s, version, event_id, type, schema_version, data, metadata, digest)
     where v_recorded[e.s] is not null;
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

  if not v_all_ok then
    return query
      select r.s::integer,
             case when r.held is false then 'claim-lost'
                  when r.expected > 0 and exists (select from es.stream h where h.stream_id = r.id and h.version = r.expected) then 'guard'
                  else 'conflict' end,
             null::text[]
        from unnest(p_ids, p_expected, v_recorded, v_held) with ordinality r (id, expected, at, held, s)
       where r.at is null;
  end if;
  if v_removed is not null then
    return query
      select k.key::integer, 'ok', array(select jsonb_array_elements_text(k.value)) from jsonb_each(v_removed) k;
  end if;
end $$;

revoke all on function es.append_2 from public;
grant execute on function es.append_2 to eci_fleet_app;
