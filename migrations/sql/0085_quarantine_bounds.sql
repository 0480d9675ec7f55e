-- The quarantine is bounded: of a message the first bytes with the length and digest of the whole, of one that comes again a count, of each sender so
-- many rows. Who sent a row is proven by its seal or it is not: until now the column said what the message claimed, so older rows prove nothing.
alter table fleet.quarantine
  add column proven          boolean not null default false,
  -- What makes two messages the same. A writer of an older version gives none: its rows are each their own.
  add column fold_key        bytea not null default sha256(uuid_send(gen_random_uuid())),
  add column value_bytes     bigint,
  add column value_digest    bytea,
  -- How often it came, and the place where it came last.
  add column seen            bigint not null default 1,
  add column last_log_epoch  integer,
  add column last_offset     bigint,
  add column last_seen_at    timestamptz not null default now();

update fleet.quarantine
   set value_bytes = octet_length(original),
       value_digest = sha256(original),
       original = substring(original for 16384),
       clear_part = left(clear_part, 16384),
       last_seen_at = quarantined_at;

create unique index quarantine_by_fold on fleet.quarantine (fold_key);
create index quarantine_by_age on fleet.quarantine (last_seen_at);
-- The bucket of a row: its sender's, when that is proven, and else the one of all strangers.
drop index fleet.quarantine_by_cluster;
create index quarantine_by_sender on fleet.quarantine ((case when proven then cluster_id else '' end), id);
