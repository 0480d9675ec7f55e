-- Stops that the mass-delete guard holds, and orphans that wait for somebody. Both are told by events; a trigger keeps their rows in the
-- transaction of the append, so that a list never disagrees with the streams. Only rows of these few types run it.

-- Mass-delete guard ---------------------------------------------------------------------------------------------------------------------------
-- One row a cluster: its lock makes the count right, however many replicas decide.
create table fleet.mass_delete_guard (
  cluster_id        text collate "C" primary key,
  -- Number of the newest hold.
  holds             integer not null default 0,
  -- An operator decided then: stops that were let through before do not count any more.
  counted_from      timestamptz not null default '-infinity'
);

-- Counted stops that were let through, for as long as the window is.
create table fleet.counted_stop (
  cluster_id        text collate "C" not null,
  pod_uid           text collate "C" not null,
  at                timestamptz not null,
  -- Groups of the cluster that had not ended then.
  population        integer not null,
  primary key (cluster_id, pod_uid)
);
create index counted_stop_by_time on fleet.counted_stop (cluster_id, at);

-- Each time the guard fired.
create table fleet.hold (
  id                text collate "C" primary key,
  cluster_id        text collate "C" not null,
  fired_at          timestamptz not null,
  last_held_at      timestamptz not null,
  -- What it saw when it fired.
  population        integer not null,
  allowance         integer not null,
  passed            integer not null,
  asked             integer not null,
  -- Null: what is counted is held. `lapsed`: nothing was held any more.
  ended_at          timestamptz,
  decision          text check (decision in ('release', 'deny', 'lapsed')),
  decided_by        text,
  decided_reason    text
);
create unique index hold_active on fleet.hold (cluster_id) where ended_at is null;

-- Who waits, for what, since when. Kept by the trigger below; `wanted` is what an operator decided and is not carried out yet.
create table fleet.held_stop (
  stream_id         text collate "C" primary key,
  cluster_id        text collate "C" not null,
  pod_uid           text collate "C" not null,
  namespace         text not null,
  name              text not null,
  hold_id           text collate "C" not null,
  reason            text not null,
  disruption        text,
  since             timestamptz not null,
  denied_at         timestamptz,
  denied_by         text,
  denied_reason     text,
  wanted            text check (wanted in ('release', 'deny')),
  wanted_by         text,
  wanted_reason     text
);
create index held_stop_of_cluster on fleet.held_stop (cluster_id, since, stream_id);
create index held_stop_of_hold on fleet.held_stop (hold_id);
create index held_stop_wanted on fleet.held_stop (since, stream_id) where wanted is not null;

-- Orphans -------------------------------------------------------------------------------------------------------------------------------------
-- What the observer saw last of each; young ones have no stream yet.
alter table fleet.orphan add column spec text;
alter table fleet.orphan add column cpu double precision;
alter table fleet.orphan add column memory_gib double precision;

-- One row for each orphan that was ever quarantined. Kept by the trigger below.
create table fleet.orphan_case (
  stream_id         text collate "C" primary key,
  account_id        text collate "C" not null,
  region            text collate "C" not null,
  container_group_id text collate "C" not null,
  -- quarantined, kept, removing, removed, closed
  phase             text not null,
  kept              boolean not null default false,
  facts             jsonb not null,
  why               text not null,
  quarantined_at    timestamptz not null,
  decided_at        timestamptz,
  decided_by        text,
  decided_reason    text,
  delete_accepted_at timestamptz,
  ended_at          timestamptz,
  ended_how         text
);
create index orphan_case_open on fleet.orphan_case (account_id, region, container_group_id) where ended_at is null;

create function es.note_holds_and_orphans() returns trigger
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
revoke all on function es.note_holds_and_orphans() from public;

create trigger note_holds_and_orphans after insert on es.event for each row
  when (new.type in ('StopHeld', 'StopDenied', 'StopReleased', 'OrphanQuarantined', 'OrphanKept', 'OrphanRemovalRequested',
                     'OrphanDeleteAccepted', 'OrphanRemoved', 'OrphanClosed'))
  execute function es.note_holds_and_orphans();
