-- What the loops remember beside the events: inventories of agents, the places of the cloud that are observed, and groups that belong to nobody.

-- Streams whose pod may still exist; the others are history.
create index stream_open on es.stream (stream_id) where closed_at is null;

-- Inventories -------------------------------------------------------------------------------------------------------------------------------
-- Parts of inventories that are not complete yet.
create table fleet.inventory_chunk (
  cluster_id        text collate "C" not null,
  inventory_id      text collate "C" not null,
  chunk             integer not null,
  chunks            integer not null,
  pods              jsonb not null,
  received_at       timestamptz not null,
  primary key (cluster_id, inventory_id, chunk)
);

-- What the last complete inventory of each cluster left open: only what two of them agree on counts.
create table fleet.inventory_last (
  cluster_id        text collate "C" primary key,
  inventory_id      text not null,
  completed_at      timestamptz not null,
  -- Pods without a stream.
  unknown_pods      text[] not null,
  -- Streams without a pod.
  missing_pods      text[] not null
);

-- Observation -------------------------------------------------------------------------------------------------------------------------------
-- One row for each (account, region) in use; one observer at a time holds it.
create table fleet.scope (
  account_id        text collate "C" not null,
  region            text collate "C" not null,
  first_used_at     timestamptz not null,
  owner             text,
  held_until        timestamptz,
  -- When the last complete sweep, and the last complete inventory, began.
  swept_at          timestamptz,
  listed_at         timestamptz,
  primary key (account_id, region)
);

-- Open groups with this fleet's tag that belong to no stream. They wait for an operator or a policy.
create table fleet.orphan (
  account_id        text collate "C" not null,
  region            text collate "C" not null,
  container_group_id text collate "C" not null,
  status            text not null,
  cluster_id        text,
  pod_uid           text,
  namespace         text,
  name              text,
  attempt           integer,
  created_at        timestamptz,
  first_seen_at     timestamptz not null,
  last_seen_at      timestamptz not null,
  primary key (account_id, region, container_group_id)
);
