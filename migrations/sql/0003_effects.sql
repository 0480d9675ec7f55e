-- Effects: rows of work beside a stream, their claims, and the quota (tokens) of the lane they share.
--
-- A claim pushes run_at to its end, so the rows of a worker that died fall due again by themselves.
-- Claimed = claim_id is set and run_at lies ahead. Due = run_at has passed, whatever claim_id says.

create table es.effect (
  stream_id    text collate "C" not null,
  kind         text collate "C" not null,
  key          text collate "C" not null,
  lane         text collate "C" not null,
  tenant       text collate "C" not null,
  priority     integer not null,
  run_at       timestamptz not null,
  data         jsonb not null,
  sealed       bytea,
  attempts     integer not null default 0,
  -- A call of an earlier claim, or of the present one, may have gone out without its outcome being recorded.
  sent_earlier boolean not null default false,
  sent_now     boolean not null default false,
  put_at       timestamptz not null,
  claim_id     text,
  primary key (stream_id, kind, key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05);
-- The next rows of one tenant in their order, and the first due time of each lane.
create index effect_turn on es.effect (lane, tenant, priority desc, run_at);
create index effect_due on es.effect (lane, run_at);

create table es.lane (
  lane         text collate "C" primary key,
  -- Tokens a second and the most that are saved up; null: a lane without quota.
  rate         double precision check (rate > 0),
  burst        double precision check (burst >= 1),
  tokens       double precision not null default 0,
  -- `tokens` are as of this moment.
  refilled_at  timestamptz not null,
  -- What throttling left of the rate.
  factor       double precision not null default 1 check (factor > 0 and factor <= 1),
  factor_moved_at timestamptz not null,
  -- Whose turn was last: the next round begins after it.
  last_tenant  text collate "C" not null default '',
  check ((rate is null) = (burst is null))
) with (fillfactor = 50);

-- We stay a little below the published rate, so that clocks that differ from the cloud's do not make us the one who is throttled.
create function es.lane_tokens(p_lane es.lane, p_now timestamptz) returns double precision language sql immutable as $$
  select least(p_lane.burst,
               p_lane.tokens + p_lane.rate * 0.98 * p_lane.factor * greatest(0, extract(epoch from p_now - p_lane.refilled_at)))
$$;

create function es.configure_lane(p_lane text, p_rate double precision, p_burst double precision) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_now timestamptz := es.now();
begin
  insert into es.lane (lane, rate, burst, tokens, refilled_at, factor_moved_at)
  values (p_lane, p_rate, p_burst, p_burst, v_now, v_now - interval '1 hour')
  on conflict do nothing;
  if found then return; end if;
  update es.lane l
     set rate = p_rate, burst = p_burst, refilled_at = v_now,
         tokens = least(p_burst, case when l.rate is null then p_burst else es.lane_tokens(l, v_now) end)
   where l.lane = p_lane and (l.rate, l.burst) is distinct from (p_rate, p_burst);
end $$;

-- The cloud throttled us: at most one step down a second, however many workers and replicas say so. What was saved up is void as well: the
-- cloud's bucket is evidently empty.
create function es.lane_throttled(p_lane text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update es.lane l set factor = greatest(0.05, l.factor * 0.85), factor_moved_at = n.at, tokens = 0, refilled_at = n.at
    from (select es.now() as at) n
   where l.lane = p_lane and l.rate is not null and l.factor_moved_at <= n.at - interval '1 second'
$$;

create function es.lane_accepted(p_lane text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update es.lane l
     set factor = least(1, l.factor + 0.03), factor_moved_at = n.at, tokens = es.lane_tokens(l, n.at), refilled_at = n.at
    from (select es.now() as at) n
   where l.lane = p_lane and l.rate is not null and l.factor < 1 and l.factor_moved_at <= n.at - interval '1 second'
$$;

-- Takes tokens and claims exactly that many rows. The lane's row is the queue of the claimers, so that two never look at the same rows.
create function es.claim_effects(p_lane text, p_kinds text[], p_max integer, p_claim_id text, p_lease_ms integer) returns setof es.effect
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- Without sorting if it can be helped: then the rows of a tenant come from effect_turn in their order, and a long queue costs no more than a short one.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  v_now     timestamptz := es.now();
  v_lane    es.lane;
  v_tokens  double precision;
  v_count   integer;
  v_ring    text[];
  v_streams text[];
  v_kinds   text[];
  v_keys    text[];
  v_tenants text[];
begin
  -- An idle poll costs one look at the index and no lock.
  perform 1 from es.effect e where e.lane = p_lane and e.run_at <= v_now limit 1;
  if not found then return; end if;

  select * into v_lane from es.lane l where l.lane = p_lane for update;
  if not found then
    insert into es.lane (lane, refilled_at, factor_moved_at) values (p_lane, v_now, v_now - interval '1 hour') on conflict do nothing;
    select * into v_lane from es.lane l where l.lane = p_lane for update;
  end if;
  v_now := es.now();
  v_count := p_max;
  if v_lane.rate is not null then
    v_tokens := es.lane_tokens(v_lane, v_now);
    v_count := least(p_max, floor(v_tokens + 1e-9), greatest(1, floor(v_lane.rate)));
  end if;
  if v_count < 1 then return; end if;

  -- Tenants with due work, from the one after the last served; no more of them than there are tokens.
  with recursive behind (tenant) as (
    (select e.tenant from es.effect e where e.lane = p_lane and e.tenant > v_lane.last_tenant order by e.tenant limit 1)
    union all
    select n.tenant from behind t
     cross join lateral (select e.tenant from es.effect e where e.lane = p_lane and e.tenant > t.tenant order by e.tenant limit 1) n
  ), before (tenant) as (
    (select e.tenant from es.effect e where e.lane = p_lane and e.tenant <= v_lane.last_tenant order by e.tenant limit 1)
    union all
    select n.tenant from before t
     cross join lateral (
       select e.tenant from es.effect e
        where e.lane = p_lane and e.tenant > t.tenant and e.tenant <= v_lane.last_tenant order by e.tenant limit 1
     ) n
  ), ring as (
    -- Lateral, so that the walk keeps its order and ends with the last token.
    select t.tenant from (select tenant from behind union all select tenant from before) t
     cross join lateral (
       select 1 from es.effect e where e.lane = p_lane and e.tenant = t.tenant and e.run_at <= v_now and e.kind = any (p_kinds) limit 1
     ) has_due
     limit v_count
  )
  select array_agg(tenant) into v_ring from ring;
  if v_ring is null then return; end if;

  with due as (
    select c.*, t.place as seat, row_number() over (partition by t.tenant order by c.priority desc, c.run_at) as turn
      from unnest(v_ring) with ordinality t (tenant, place)
     cross join lateral (
       select e.stream_id, e.kind, e.key, e.priority, e.run_at from es.effect e
        where e.lane = p_lane and e.tenant = t.tenant and e.run_at <= v_now and e.kind = any (p_kinds)
        order by e.priority desc, e.run_at
        -- Every other tenant gets one at least.
        limit v_count - cardinality(v_ring) + 1
     ) c
  ), chosen as (
    select *, row_number() over (order by turn, seat) as place from due order by place limit v_count
  ), locked as (
    select e.stream_id, e.kind, e.key, e.tenant, c.place from chosen c
      join es.effect e on (e.stream_id, e.kind, e.key) = (c.stream_id, c.kind, c.key) and e.run_at <= v_now
     for update of e skip locked
  )
  select array_agg(stream_id order by place), array_agg(kind order by place), array_agg(key order by place), array_agg(tenant order by place)
    into v_streams, v_kinds, v_keys, v_tenants from locked;
  if v_streams is null then return; end if;

  v_count := cardinality(v_streams);
  update es.lane l set tokens = coalesce(v_tokens - v_count, 0), refilled_at = v_now, last_tenant = v_tenants[v_count] where l.lane = p_lane;
  return query
    update es.effect e
       set claim_id = p_claim_id, run_at = v_now + make_interval(secs => p_lease_ms / 1000.0), attempts = e.attempts + 1,
           sent_earlier = e.sent_earlier or e.sent_now, sent_now = false
      from unnest(v_streams, v_kinds, v_keys) r (stream_id, kind, key)
     where (e.stream_id, e.kind, e.key) = (r.stream_id, r.kind, r.key)
    returning e.*;
end $$;

-- Just before the call: which claims are still ours, marked as perhaps sent. Locks in the order in which appends lock, so they cannot deadlock.
create function es.confirm_effects(p_streams text[], p_kinds text[], p_keys text[], p_claims text[], p_lease_ms integer)
returns table (stream_id text, kind text, key text)
language sql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  with held as materialized (
    select e.stream_id, e.kind, e.key
      from unnest(p_streams, p_kinds, p_keys, p_claims) r (stream_id, kind, key, claim_id)
      join es.effect e on (e.stream_id, e.kind, e.key) = (r.stream_id, r.kind, r.key) and e.claim_id = r.claim_id
     order by e.stream_id, e.kind, e.key
     for update of e
  )
  update es.effect e set sent_now = true, run_at = es.now() + make_interval(secs => p_lease_ms / 1000.0)
    from held h where (e.stream_id, e.kind, e.key) = (h.stream_id, h.kind, h.key)
  returning e.stream_id, e.kind, e.key
$$;

create function es.release_effect(
  p_stream text, p_kind text, p_key text, p_claim_id text, p_after_ms bigint, p_not_sent boolean, p_data jsonb, p_refund boolean
) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_lane text;
begin
  update es.effect e
     set claim_id = null, run_at = es.now() + make_interval(secs => p_after_ms / 1000.0), data = coalesce(p_data, e.data),
         sent_now = e.sent_now and not p_not_sent
   where e.stream_id = p_stream and e.kind = p_kind and e.key = p_key and e.claim_id = p_claim_id
  returning e.lane into v_lane;
  if not found then return false; end if;
  if p_refund then update es.lane l set tokens = least(l.burst, l.tokens + 1) where l.lane = v_lane and l.rate is not null; end if;
  return true;
end $$;

-- First due time of each lane; a step of the recursion is one step of the index.
create function es.lanes() returns table (lane text, first_run_at timestamptz) language sql stable
set enable_seqscan = off set enable_bitmapscan = off as $$
  with recursive step (lane, run_at) as (
    (select e.lane, e.run_at from es.effect e order by e.lane, e.run_at limit 1)
    union all
    select n.lane, n.run_at from step s
     cross join lateral (select e.lane, e.run_at from es.effect e where e.lane > s.lane order by e.lane, e.run_at limit 1) n
  )
  select lane, run_at from step
$$;

grant select on all tables in schema es to eci_fleet_app;
revoke all on all functions in schema es from public;
grant execute on function es.configure_lane(text, double precision, double precision), es.lane_throttled(text), es.lane_accepted(text),
  es.claim_effects(text, text[], integer, text, integer), es.confirm_effects(text[], text[], text[], text[], integer),
  es.release_effect(text, text, text, text, bigint, boolean, jsonb, boolean), es.lanes(),
  es.lane_tokens(es.lane, timestamptz) to eci_fleet_app;
