-- Rule 2, the pair. Within the horizon the order is (transaction, position). A checkpoint of the position alone would pass over an event with
-- a smaller position whose transaction came later.
create or replace function es.read_all(p_after_transaction xid8, p_after_position bigint, p_limit integer) returns setof es.event
language sql stable as $$
  select * from es.event e
   where (e.transaction_id, e.position) > (p_after_transaction, p_after_position)
     and e.transaction_id < es.horizon()
   order by e.transaction_id, e.position
   limit p_limit
$$;

revoke all on function es.read_all from public;
grant execute on function es.read_all to eci_fleet_app;
