-- An agent's key ends with everything that was given for it: each key of a cluster is a generation, and a principal on Kafka.
alter table fleet.cluster add column key_generation integer not null default 0;

-- Keys that were replaced or taken away: whoever has one of them never joins with it again.
create table fleet.retired_agent_key (
  cluster_id        text not null references fleet.cluster (id),
  thumbprint        text not null,
  retired_at        timestamptz not null,
  primary key (cluster_id, thumbprint)
);

-- Under an older generation's envelope keys something may have been sent that nobody can read now.
alter table fleet.inventory_last add column key_generation integer not null default 0;
