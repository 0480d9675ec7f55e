-- For release 0.1.0 alone: goes with 0.4.0, docs/developers/event-store.md.
-- Heads of streams that are to be new; returns those it made. One statement for all: half the cost of one for each. An insert waits only for
-- an insert of the same stream, in sorted order, and all of them come before any other lock, so this cannot deadlock.
create or replace function es.open_streams(p_streams json, p_now timestamptz) returns text[] language sql as $$
  with made as (
    insert into es.stream (stream_id, version, last_transaction_id, last_recorded_at, opened_at, closed_at)
    select x.stream_id, x.events, pg_current_xact_id(), p_now, p_now, case when x.closed then p_now end
      from json_to_recordset(p_streams) as x (stream_id text, expected bigint, events integer, closed boolean, claim_id text)
     where x.expected = 0 and x.events > 0 and x.claim_id is null
     order by x.stream_id collate "C"
    on conflict do nothing
    returning stream_id
  )
  select coalesce(array_agg(stream_id), '{}') from made
$$;

revoke all on function es.open_streams from public;
