-- Takes tokens and claims exactly that many rows. The lane's row is the queue of the claimers, so that two never look at the same rows.
-- Of each tenant's due rows the oldest and the youngest are served in turn: a backlog drains with half of the quota at least, oldest first, while what
-- comes now is done now.
create or replace function es.claim_effects(p_lane text, p_kinds text[], p_max integer, p_claim_id text, p_lease_ms integer) returns setof es.effect
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- Without sorting if it can be helped: then the rows of a tenant come from effect_turn in their order, and a long queue costs no more than a short one.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  v_now     timestamptz := es.now();
  v_lane    es.lane;
  v_tokens  double precision;
  v_count   integer;
  v_youngest_first boolean;
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
  v_youngest_first := coalesce(v_lane.rounds, 0) % 2 = 1;

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

  -- Every other tenant gets one at least, so nobody more than what is left.
  with oldest as (
    select c.*, t.tenant, t.place as seat, row_number() over (partition by t.tenant order by c.priority desc, c.run_at) as nth
      from unnest(v_ring) with ordinality t (tenant, place)
     cross join lateral (
       select e.stream_id, e.kind, e.key, e.priority, e.run_at from es.effect e
        where e.lane = p_lane and e.tenant = t.tenant and e.run_at <= v_now and e.kind = any (p_kinds)
        order by e.priority desc, e.run_at
        limit v_count - cardinality(v_ring) + 1
     ) c
  ), youngest as (
    -- Of the largest priority that is due; against the order of effect_turn.
    select c.*, t.tenant, t.seat, row_number() over (partition by t.tenant order by c.run_at desc) as nth
      from oldest t
     cross join lateral (
       select e.stream_id, e.kind, e.key, e.priority, e.run_at from es.effect e
        where e.lane = p_lane and e.tenant = t.tenant and e.priority = t.priority and e.run_at <= v_now and e.kind = any (p_kinds)
        order by e.run_at desc
        limit v_count - cardinality(v_ring) + 1
     ) c
     where t.nth = 1
  ), either as (
    select stream_id, kind, key, tenant, seat, 2 * nth + case when v_youngest_first then 1 else 0 end as rank from oldest
    union all
    select stream_id, kind, key, tenant, seat, 2 * nth + case when v_youngest_first then 0 else 1 end from youngest
  ), once as (
    select stream_id, kind, key, tenant, seat, min(rank) as rank from either group by stream_id, kind, key, tenant, seat
  ), due as (
    select *, row_number() over (partition by tenant order by rank) as turn from once
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
  update es.lane l
     set tokens = coalesce(v_tokens - v_count, 0), refilled_at = v_now, last_tenant = v_tenants[v_count],
         rounds = coalesce(l.rounds, 0) + case when v_tenants[v_count] <= l.last_tenant then 1 else 0 end
   where l.lane = p_lane;
  return query
    update es.effect e
       set claim_id = p_claim_id, run_at = v_now + make_interval(secs => p_lease_ms / 1000.0), attempts = e.attempts + 1,
           sent_earlier = e.sent_earlier or e.sent_now, sent_now = false
      from unnest(v_streams, v_kinds, v_keys) r (stream_id, kind, key)
     where (e.stream_id, e.kind, e.key) = (r.stream_id, r.kind, r.key)
    returning e.*;
end $$;

revoke all on function es.claim_effects from public;
grant execute on function es.claim_effects to eci_fleet_app;
