-- Makes the partition of the month of `p_at` when it is missing. Made beside and then attached: unlike `create table … partition of`, that
-- does not wait for readers and writers of the other months.
create or replace function es.ensure_partition(p_at timestamptz) returns void language plpgsql as $$
declare
  v_name text := es.partition_name(p_at);
  v_from timestamp := date_trunc('month', p_at at time zone 'UTC');
begin
  if to_regclass('es.' || v_name) is not null then return; end if;
  -- One at a time. A lock of the table, not an advisory one: only with it does this session learn what the one before it made.
  lock table es.event in share update exclusive mode;
  if to_regclass('es.' || v_name) is not null then return; end if;
  execute format('create table es.%I (like es.event including defaults including constraints)', v_name);
  execute format('create trigger refuse_truncate before truncate on es.%I for each statement execute function es.refuse_change()', v_name);
  execute format('alter table es.event attach partition es.%I for values from (%L) to (%L)', v_name,
                 v_from at time zone 'UTC', (v_from + interval '1 month') at time zone 'UTC');
  -- Partitions do not inherit grants, and default privileges hold for tables of their maker only.
  execute format('grant select on es.%I to eci_fleet_app', v_name);
  execute format('grant select, delete, truncate on es.%I to eci_fleet_archiver', v_name);
end $$;

revoke all on function es.ensure_partition from public;
