-- Keys under which statuses and commands to a cluster's agent carry a MAC, wrapped by the master key; the newest of a generation signs.
create table fleet.status_key (
  cluster_id        text not null references fleet.cluster (id),
  kid               text not null,
  -- Orders the keys of a cluster, whatever clocks say.
  number            bigint generated always as identity,
  -- Of the agent's key; none outlives it.
  key_generation    integer not null,
  wrapped           bytea not null,
  made_at           timestamptz not null,
  -- Somebody says every live status anew under it, and is believed to be at it until then.
  filling_until     timestamptz,
  -- Every live status has been said under it, or under a newer one.
  filled_at         timestamptz,
  primary key (cluster_id, kid)
);

-- When everything on the cluster's topic was last said anew with a MAC.
alter table fleet.cluster add column statuses_proven_at timestamptz;

-- When a control plane was last seen that says things without a MAC. A fleet without clusters has nothing that one could have said.
create table fleet.unproven_speaker (
  id                boolean primary key default true check (id),
  seen_at           timestamptz not null
);
insert into fleet.unproven_speaker (seen_at)
select case when exists (select from fleet.cluster) then now() else '-infinity'::timestamptz end;
