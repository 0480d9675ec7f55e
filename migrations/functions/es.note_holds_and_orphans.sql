-- Holds and orphans as tables, from the events that tell of them. Trigger of es.event.
create or replace function es.note_holds_and_orphans() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  d jsonb := new.data;
  v_at timestamptz := new.recorded_at;
  v_id text[];
begin
  case new.type
    when 'StopHeld' then
      v_id := regexp_match(new.stream_id, '^container_group:([^:]+):(.+)$');
      if v_id is null then return null; end if;
      insert into fleet.held_stop (stream_id, cluster_id, pod_uid, namespace, name, hold_id, reason, disruption, since)
      values (new.stream_id, v_id[1], v_id[2], d ->> 'namespace', d ->> 'name', d ->> 'hold', d ->> 'reason', d ->> 'disruption', v_at)
      on conflict (stream_id) do update
        set hold_id = excluded.hold_id, reason = excluded.reason, disruption = excluded.disruption, since = excluded.since,
            denied_at = null, denied_by = null, denied_reason = null, wanted = null, wanted_by = null, wanted_reason = null;
    when 'StopDenied' then
      update fleet.held_stop h
         set denied_at = v_at, denied_by = d ->> 'by', denied_reason = d ->> 'reason',
             wanted = nullif(h.wanted, 'deny'), wanted_by = case when h.wanted = 'deny' then null else h.wanted_by end,
             wanted_reason = case when h.wanted = 'deny' then null else h.wanted_reason end
       where h.stream_id = new.stream_id;
    when 'StopReleased' then
      delete from fleet.held_stop h where h.stream_id = new.stream_id;
    when 'OrphanQuarantined' then
      insert into fleet.orphan_case as c
        (stream_id, account_id, region, container_group_id, phase, facts, why, quarantined_at)
      values (new.stream_id, d ->> 'accountId', d ->> 'region', d ->> 'containerGroupId', 'quarantined', d - 'why', d ->> 'why', v_at)
      on conflict (stream_id) do update
        -- One that was kept, taken for gone and is back stays kept.
        set phase = case when c.kept then 'kept' else 'quarantined' end,
            facts = excluded.facts, why = excluded.why, quarantined_at = excluded.quarantined_at,
            delete_accepted_at = null, ended_at = null, ended_how = null;
    when 'OrphanKept' then
      update fleet.orphan_case c set phase = 'kept', kept = true, decided_at = v_at, decided_by = d ->> 'by', decided_reason = d ->> 'reason'
       where c.stream_id = new.stream_id;
    when 'OrphanRemovalRequested' then
      update fleet.orphan_case c set phase = 'removing', kept = false, decided_at = v_at, decided_by = d ->> 'by', decided_reason = d ->> 'reason'
       where c.stream_id = new.stream_id;
    when 'OrphanDeleteAccepted' then
      update fleet.orphan_case c set delete_accepted_at = v_at where c.stream_id = new.stream_id;
    when 'OrphanRemoved' then
      update fleet.orphan_case c set phase = 'removed', ended_at = v_at, ended_how = d ->> 'evidence' where c.stream_id = new.stream_id;
    when 'OrphanClosed' then
      update fleet.orphan_case c set phase = 'closed', ended_at = v_at, ended_how = (d ->> 'reason') || ': ' || (d ->> 'evidence')
       where c.stream_id = new.stream_id;
    else null;
  end case;
  return null;
end $$;

revoke all on function es.note_holds_and_orphans from public;
