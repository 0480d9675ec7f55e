-- The checkpoint is the pair, and moves only for its owner and only from where the owner read: one who was replaced is refused.
create or replace function es.move_checkpoint(
  p_name text, p_owner text, p_generation integer, p_from_transaction xid8, p_from_position bigint, p_to_transaction xid8, p_to_position bigint
) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update es.subscription s
     set last_transaction_id = p_to_transaction, last_position = p_to_position, moved_at = es.now()
   where s.name = p_name and s.owner = p_owner and s.generation = p_generation
     and (s.last_transaction_id, s.last_position) = (p_from_transaction, p_from_position);
  return found;
end $$;

revoke all on function es.move_checkpoint from public;
grant execute on function es.move_checkpoint to eci_fleet_app;
