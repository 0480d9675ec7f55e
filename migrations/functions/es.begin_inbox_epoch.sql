-- A log was replaced: its offsets count anew. Returns the epoch that begins.
create or replace function es.begin_inbox_epoch(p_group text, p_topic text, p_partition integer, p_offset bigint) returns integer
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  insert into es.inbox_offset as o (consumer_group, topic, partition, epoch, next_offset, moved_at)
  values (p_group, p_topic, p_partition, 1, p_offset, es.now())
  on conflict (consumer_group, topic, partition)
  do update set epoch = o.epoch + 1, next_offset = excluded.next_offset, moved_at = excluded.moved_at
  returning epoch
$$;

revoke all on function es.begin_inbox_epoch from public;
grant execute on function es.begin_inbox_epoch to eci_fleet_app;
