-- The three rules that give all events one order in which no reader loses an event or sees a stream backwards.
-- libs/event-store/src/ordering.int.spec.ts shows for each rule what is lost without it.

-- Rule 1, horizon. Positions are handed out before commit, so a later position may be visible before an earlier one. Readers stop before the
-- oldest transaction that is still writing, anywhere on the server: everything older is settled.
create function es.horizon() returns xid8 language sql stable as
$$ select pg_snapshot_xmin(pg_current_snapshot()) $$;

-- Rule 2, the pair. Within the horizon the order is (transaction, position). A checkpoint of the position alone would pass over an event with
-- a smaller position whose transaction came later.
create function es.read_all(p_after_transaction xid8, p_after_position bigint, p_limit integer) returns setof es.event
language sql stable as $$
  select * from es.event e
   where (e.transaction_id, e.position) > (p_after_transaction, p_after_position)
     and e.transaction_id < es.horizon()
   order by e.transaction_id, e.position
   limit p_limit
$$;

-- The checkpoint is the pair, and moves only for its owner and only from where the owner read: one who was replaced is refused.
create function es.move_checkpoint(
  p_name text, p_owner text, p_generation integer, p_from_transaction xid8, p_from_position bigint, p_to_transaction xid8, p_to_position bigint
) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update es.subscription s
     set last_transaction_id = p_to_transaction, last_position = p_to_position, moved_at = es.now()
   where s.name = p_name and s.owner = p_owner and s.generation = p_generation
     and (s.last_transaction_id, s.last_position) = (p_from_transaction, p_from_position);
  return found;
end $$;

-- Heads of streams that are to be new; answers those it made. One statement for all: half the cost of one for each. An insert waits only for
-- an insert of the same stream, in sorted order, and all of them come before any other lock, so this cannot deadlock.
create function es.open_streams(p_streams json, p_now timestamptz) returns text[] language sql as $$
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

-- Rule 3, the stream guard. A transaction that got its id early and appends late would sort before versions that younger transactions have
-- committed meanwhile. It is refused, and appends again in a fresh transaction.
-- Outcome: ok | conflict | guard. `recorded_at` never runs backwards within a stream, whatever the clock does.
create function es.move_head(
  p_stream text, p_expected bigint, p_events integer, p_closed boolean, p_now timestamptz, out outcome text, out recorded_at timestamptz
) language plpgsql as $$
declare
  v_version bigint;
begin
  outcome := 'ok';
  if p_expected = 0 then
    if p_events = 0 then
      perform 1 from es.stream s where s.stream_id = p_stream;
      if found then outcome := 'conflict'; else recorded_at := p_now; end if;
      return;
    end if;
    -- A new stream was opened by es.open_streams before, or is not new.
    outcome := 'conflict';
    return;
  end if;

  if p_events = 0 then
    select s.last_recorded_at into recorded_at from es.stream s
     where s.stream_id = p_stream and s.version = p_expected for no key update;
    if not found then outcome := 'conflict';
    elsif p_closed then update es.stream s set closed_at = coalesce(s.closed_at, p_now) where s.stream_id = p_stream;
    end if;
    return;
  end if;

  update es.stream s
     set version = s.version + p_events,
         last_transaction_id = pg_current_xact_id(),
         last_recorded_at = greatest(s.last_recorded_at, p_now),
         closed_at = case when p_closed then coalesce(s.closed_at, p_now) else s.closed_at end
   where s.stream_id = p_stream and s.version = p_expected and s.last_transaction_id <= pg_current_xact_id()
  returning s.last_recorded_at into recorded_at;
  if found then return; end if;

  select s.version into v_version from es.stream s where s.stream_id = p_stream;
  outcome := case when v_version = p_expected then 'guard' else 'conflict' end;
end $$;

-- Streams in order of version. The window of the head leaves only the partitions in which a stream has events.
create function es.load(p_streams text[]) returns setof es.event
language sql stable set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  select e.* from unnest(p_streams) i (stream_id)
    join es.stream s on s.stream_id = i.stream_id
   cross join lateral (
     select * from es.event e
      where e.stream_id = s.stream_id and e.recorded_at >= s.opened_at and e.recorded_at <= s.last_recorded_at
      order by e.version
   ) e
$$;

revoke all on all functions in schema es from public;
grant execute on function es.horizon(), es.read_all(xid8, bigint, integer), es.load(text[]),
  es.move_checkpoint(text, text, integer, xid8, bigint, xid8, bigint) to eci_fleet_app;
