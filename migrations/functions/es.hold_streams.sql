-- None of these streams goes on while this transaction lasts: what is read of them next is all that there is. Heads are locked in the order of all
-- appends.
create or replace function es.hold_streams(p_streams text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  select 1 from es.stream s where s.stream_id = any (p_streams) order by s.stream_id collate "C" for share
$$;

revoke all on function es.hold_streams from public;
grant execute on function es.hold_streams to eci_fleet_app;
