-- How long committed events have been hidden from readers, and whose transaction hides them. Definer: others' sessions are not for everyone.
create or replace function es.horizon_lag() returns table (seconds double precision, blocking_pid integer, application text, database text, blocking_seconds double precision)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select greatest(0, coalesce((select extract(epoch from es.now() - min(e.recorded_at)) from es.event e where e.transaction_id >= es.horizon()), 0)),
         b.pid, b.application_name, b.datname::text, extract(epoch from clock_timestamp() - b.xact_start)
    from (select 1) one
    left join lateral (
      select a.pid, a.application_name, a.datname, a.xact_start from pg_locks l join pg_stat_activity a on a.pid = l.pid
       where l.locktype = 'transactionid' and l.granted and l.mode = 'ExclusiveLock' and l.transactionid = es.horizon()::xid limit 1
    ) b on true
$$;

revoke all on function es.horizon_lag from public;
grant execute on function es.horizon_lag to eci_fleet_app;
