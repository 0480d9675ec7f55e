-- Rows beside the streams that were written (those with a time in p_recorded), for es.append_2. Returns {"<s>": ["kind:key", …]} of the effects
-- removed.
create or replace function es.append_beside_2(
  p_put json, p_removed json, p_timers json, p_parked json, p_aliases json, p_sealed json, p_blobs bytea[],
  p_ids text[], p_recorded timestamptz[], p_now timestamptz, p_jitter double precision
) returns jsonb language plpgsql as $$
declare
  v_removed jsonb;
  r         record;
begin
  if p_removed is not null then
    with gone as (
      delete from es.effect e
       using json_to_recordset(p_removed) as x (s integer, kind text, key text, unless_claimed boolean)
       where p_recorded[x.s] is not null
         and e.stream_id = p_ids[x.s] and e.kind = x.kind and e.key = x.key
         and not (x.unless_claimed and (e.sent_earlier or e.sent_now or (e.claim_id is not null and e.run_at > p_now)))
      returning x.s, e.kind || ':' || e.key as name
    )
    select jsonb_object_agg(g.s, g.names) into v_removed from (select s, jsonb_agg(name) as names from gone group by s) g;
  end if;

  if p_put is not null then
    -- Writing a row twice is writing it once: a row that a worker holds is left to it.
    insert into es.effect as e (stream_id, kind, key, lane, tenant, priority, run_at, data, sealed, put_at, claim_id, attempts)
    select p_ids[x.s], x.kind, x.key, x.lane, x.tenant, x.priority,
           p_now + make_interval(secs => coalesce(x.lease_ms, x.after_ms) / 1000.0), x.data, p_blobs[x.blob], p_now, x.claim_id,
           case when x.claim_id is null then 0 else 1 end
      from json_to_recordset(p_put) as x (s integer, kind text, key text, lane text, tenant text, priority integer,
             after_ms double precision, data jsonb, blob integer, claim_id text, lease_ms double precision)
     where p_recorded[x.s] is not null
     order by p_ids[x.s] collate "C", x.kind collate "C", x.key collate "C"
    on conflict (stream_id, kind, key) do update
      set lane = excluded.lane, tenant = excluded.tenant, priority = excluded.priority, run_at = excluded.run_at, data = excluded.data,
          sealed = excluded.sealed, claim_id = excluded.claim_id, attempts = e.attempts + excluded.attempts,
          sent_earlier = e.sent_earlier or e.sent_now, sent_now = false
      where e.claim_id is null or e.run_at <= p_now;
  end if;

  if p_timers is not null then
    delete from es.timer t using json_to_recordset(p_timers) as x (s integer, op text, name text)
     where x.op = 'remove' and p_recorded[x.s] is not null and t.stream_id = p_ids[x.s] and t.name = x.name;
    insert into es.timer (stream_id, name, due_at, run_at, data)
    select p_ids[x.s], x.name, x.due_at, x.due_at, x.data
      from json_to_recordset(p_timers) as x (s integer, op text, name text, due_at timestamptz, data jsonb)
     where x.op = 'put' and p_recorded[x.s] is not null
     order by p_ids[x.s] collate "C", x.name collate "C"
    on conflict (stream_id, name) do update set due_at = excluded.due_at, run_at = excluded.run_at, data = excluded.data;
  end if;

  if p_aliases is not null then
    insert into es.alias (alias, stream_id)
    select x.alias, p_ids[x.s] from json_to_recordset(p_aliases) as x (s integer, alias text)
     where p_recorded[x.s] is not null order by x.alias collate "C"
    on conflict do nothing;
  end if;

  if p_sealed is not null then
    delete from es.sealed k using json_to_recordset(p_sealed) as x (s integer, blob integer)
     where x.blob is null and p_recorded[x.s] is not null and k.stream_id = p_ids[x.s];
    insert into es.sealed (stream_id, key_id, wrapped_key, sealed)
    select p_ids[x.s], x.key_id, p_blobs[x.wrapped], p_blobs[x.blob]
      from json_to_recordset(p_sealed) as x (s integer, key_id text, wrapped integer, blob integer)
     where x.blob is not null and p_recorded[x.s] is not null
     order by p_ids[x.s] collate "C"
    on conflict (stream_id) do update set key_id = excluded.key_id, wrapped_key = excluded.wrapped_key, sealed = excluded.sealed;
  end if;

  if p_parked is not null then
    delete from es.parked k using json_to_recordset(p_parked) as x (s integer, gate text)
     where x.gate is null and p_recorded[x.s] is not null and k.stream_id = p_ids[x.s];
    insert into es.parked (stream_id, gate, priority, deadline, since)
    select p_ids[x.s], x.gate, x.priority, x.deadline, p_now
      from json_to_recordset(p_parked) as x (s integer, gate text, priority integer, deadline timestamptz)
     where x.gate is not null and p_recorded[x.s] is not null
     order by p_ids[x.s] collate "C"
    on conflict (stream_id) do update
      set gate = excluded.gate, priority = excluded.priority, deadline = excluded.deadline, since = excluded.since;
    for r in
      select distinct x.gate collate "C" as gate from json_to_recordset(p_parked) as x (s integer, gate text)
       where x.gate is not null and p_recorded[x.s] is not null order by 1
    loop
      perform es.park_at(r.gate, p_now, p_jitter);
    end loop;
  end if;
  return v_removed;
end $$;

revoke all on function es.append_beside_2 from public;
