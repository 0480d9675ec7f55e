-- Events behind are counted to 100,000.
create or replace function es.subscription_lag()
returns table (name text, owner text, events bigint, seconds double precision, parked_streams bigint, queued_events bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select s.name, s.owner,
         (select count(*) from (select 1 from es.event e
                                 where (e.transaction_id, e.position) > (s.last_transaction_id, s.last_position) limit 100000) x),
         greatest(0, coalesce(extract(epoch from es.now() - (select e.recorded_at from es.event e
           where (e.transaction_id, e.position) > (s.last_transaction_id, s.last_position)
           order by e.transaction_id, e.position limit 1)), 0)),
         (select count(*) from es.subscription_parked k where k.subscription = s.name),
         (select count(*) from es.subscription_queued q where q.subscription = s.name)
    from es.subscription s
$$;

revoke all on function es.subscription_lag from public;
grant execute on function es.subscription_lag to eci_fleet_app;
