-- What clusters sent over their budgets: their pods, and inventories, are asked for again. Losing a row loses nothing that the next inventories do not
-- bring back.
create table fleet.deferred_intent (
  cluster_id   text not null,
  -- UID of a pod, or 'inventory'.
  subject      text not null,
  deferred_at  timestamptz not null,
  -- Somebody asks for it just now.
  asked_at     timestamptz,
  primary key (cluster_id, subject)
);
