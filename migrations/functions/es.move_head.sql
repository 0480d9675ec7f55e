-- For release 0.1.0 alone: goes with 0.4.0, docs/developers/event-store.md.
-- Moves the head of a stream, with the stream guard: see es.append_2.
-- Outcome: ok | conflict | guard. `recorded_at` never runs backwards within a stream, whatever the clock does.
create or replace function es.move_head(
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

revoke all on function es.move_head from public;
