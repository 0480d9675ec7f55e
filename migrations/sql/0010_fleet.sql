-- What the control plane knows beside the events: accounts, clusters and their sessions, envelope keys, quarantine, answers to repeated
-- requests, and the read model of container groups. Nothing here holds a secret in clear: tokens are hashed, keys and stored answers wrapped.

-- Accounts --------------------------------------------------------------------------------------------------------------------------------
create table fleet.account (
  id                text primary key,
  name              text not null,
  -- Where the AccessKey is, never the key.
  credential        jsonb not null,
  -- Empty: every region.
  regions           text[] not null default '{}',
  endpoint          text,
  quotas            jsonb not null default '{}',
  source            text not null check (source in ('configuration', 'api')),
  -- What the cloud said last to this account's key: 'untried', 'accepted' or 'refused'.
  auth_state        text not null default 'untried' check (auth_state in ('untried', 'accepted', 'refused')),
  auth_message      text,
  auth_at           timestamptz,
  created_at        timestamptz not null,
  updated_at        timestamptz not null
);

-- Clusters and who speaks for them -------------------------------------------------------------------------------------------------------
create table fleet.cluster (
  id                     text primary key,
  name                   text not null,
  account_id             text not null references fleet.account (id),
  -- UID of namespace kube-system; fixed by the first join.
  fingerprint            text,
  -- Public half of the agent's key (JWK) and its RFC 7638 thumbprint.
  public_key             jsonb,
  key_thumbprint         text,
  -- Number of the newest session; only grows.
  epoch                  bigint not null default 0,
  session_agent_id       text,
  session_started_at     timestamptz,
  session_renewed_at     timestamptz,
  agent_version          text,
  node_name              text,
  -- Last time two agents were seen taking the session from each other.
  flapping_at            timestamptz,
  registered_at          timestamptz not null,
  joined_at              timestamptz,
  -- Unregistered: the row stays so that the id is never given to another cluster.
  unregistered_at        timestamptz
);
create index cluster_by_account on fleet.cluster (account_id);

create table fleet.join_token (
  token_hash        bytea primary key,
  cluster_id        text not null references fleet.cluster (id),
  issued_at         timestamptz not null,
  expires_at        timestamptz not null,
  -- The key that redeemed it; the same key may repeat the call.
  used_by           text,
  used_at           timestamptz
);
create index join_token_by_cluster on fleet.join_token (cluster_id);

-- Assertions that were accepted, until they expire: each is good once.
create table fleet.agent_assertion (
  cluster_id        text not null,
  jti_hash          bytea not null,
  expires_at        timestamptz not null,
  primary key (cluster_id, jti_hash)
);
create index agent_assertion_by_expiry on fleet.agent_assertion (expires_at);

-- Who took the session from whom.
create table fleet.session_takeover (
  cluster_id        text not null references fleet.cluster (id),
  epoch             bigint not null,
  agent_id          text not null,
  superseded        text not null,
  at                timestamptz not null,
  primary key (cluster_id, epoch)
);

create table fleet.envelope_key (
  cluster_id        text not null references fleet.cluster (id),
  kid               text not null,
  wrapped           bytea not null,
  not_before        timestamptz not null,
  not_after         timestamptz not null,
  -- When no message sealed with it can lie in the log any more.
  destroy_at        timestamptz not null,
  primary key (cluster_id, kid),
  unique (cluster_id, not_before)
);
create index envelope_key_by_destruction on fleet.envelope_key (destroy_at);

-- Messages that could not be understood ---------------------------------------------------------------------------------------------------
create table fleet.quarantine (
  id                bigint generated always as identity primary key,
  topic             text not null,
  log_epoch         integer not null,
  partition         integer not null,
  message_offset    bigint not null,
  message_key       text not null,
  cluster_id        text,
  reason            text not null,
  -- The envelope's clear part as it came, when it could be read.
  clear_part        text,
  -- The whole message as it came; its sealed part stays sealed.
  original          bytea,
  headers           jsonb not null,
  quarantined_at    timestamptz not null,
  unique (topic, log_epoch, partition, message_offset)
);
create index quarantine_by_cluster on fleet.quarantine (cluster_id, id);

-- Answers to POSTs with an Idempotency-Key, for a day -----------------------------------------------------------------------------------
create table fleet.idempotent_request (
  scope             text not null,
  idempotency_key   text not null,
  request_digest    bytea not null,
  -- Absent while the request is being answered.
  status            integer,
  -- Wrapped by the master key: an answer may hold a join token.
  response          bytea,
  started_at        timestamptz not null,
  primary key (scope, idempotency_key)
);
create index idempotent_request_by_age on fleet.idempotent_request (started_at);

-- Read model: one row a stream, made from its events alone -------------------------------------------------------------------------------
create table fleet.container_group (
  stream_id             text primary key,
  stream_version        bigint not null,
  cluster_id            text not null,
  namespace             text not null,
  name                  text not null,
  pod_uid               text not null,
  life                  text not null,
  phase                 text,
  closed                boolean not null,
  pod_object_gone       boolean not null,
  container_group_id    text,
  group_status          text,
  account_id            text,
  region                text,
  zone                  text,
  v_switch_id           text,
  spec                  text,
  cpu                   double precision,
  memory_gib            double precision,
  charge_type           text,
  attempts              integer not null,
  reason                text,
  message               text,
  pod_ip                text,
  images                text[] not null,
  requested_at          timestamptz not null,
  created_at            timestamptz,
  landed_at             timestamptz,
  running_at            timestamptz,
  stop_requested_at     timestamptz,
  ended_at              timestamptz,
  -- Seconds of the groups that have ended; a running one is added from created_at by whoever asks.
  ended_group_seconds   double precision not null,
  last_event_type       text not null,
  -- Time of the last event.
  updated_at            timestamptz not null
);
-- Lists are newest first; the time of the first event never changes, so pages stay in place while rows are written.
create index container_group_in_order on fleet.container_group (requested_at desc, stream_id desc);
create index container_group_of_cluster_in_order on fleet.container_group (cluster_id, requested_at desc, stream_id desc);
create index container_group_of_life_in_order on fleet.container_group (life, requested_at desc, stream_id desc);
create index container_group_of_zone_in_order on fleet.container_group (zone, requested_at desc, stream_id desc) where zone is not null;
create index container_group_by_cluster on fleet.container_group (cluster_id, stream_id);
create index container_group_by_name on fleet.container_group (namespace, name);
create index container_group_by_pod on fleet.container_group (pod_uid);
create index container_group_by_group on fleet.container_group (container_group_id) where container_group_id is not null;
create index container_group_by_update on fleet.container_group (updated_at);

-- How many groups are how and where, kept beside the rows so that the live view counts nothing.
create table fleet.container_group_count (
  cluster_id        text not null,
  life              text not null,
  -- Empty: not landed.
  zone              text not null,
  groups            bigint not null,
  primary key (cluster_id, life, zone)
);
