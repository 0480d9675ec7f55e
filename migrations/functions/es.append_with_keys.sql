-- es.append_2 for streams that bring a key for their events: [{s, key_id, wrapped (base64)}]. The first key of a stream stays.
create or replace function es.append_with_keys(
  p_ids text[], p_expected bigint[], p_counts integer[], p_closed boolean[], p_touched boolean[],
  p_claim_kinds text[], p_claim_keys text[], p_claim_ids text[], p_put_again boolean[],
  p_event_s integer[], p_versions bigint[], p_event_ids uuid[], p_types text[], p_schema_versions smallint[],
  p_data jsonb[], p_metadata jsonb[], p_digests bytea[],
  p_put json, p_removed json, p_timers json, p_parked json, p_aliases json, p_sealed json, p_blobs bytea[],
  p_inbox json, p_jitter double precision, p_event_keys json
) returns table (s integer, outcome text, removed text[])
language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  r        record;
  v_failed integer[] := '{}';
begin
  for r in
    select a.s, a.outcome, a.removed
      from es.append_2(p_ids, p_expected, p_counts, p_closed, p_touched, p_claim_kinds, p_claim_keys, p_claim_ids, p_put_again, p_event_s,
                       p_versions, p_event_ids, p_types, p_schema_versions, p_data, p_metadata, p_digests, p_put, p_removed, p_timers,
                       p_parked, p_aliases, p_sealed, p_blobs, p_inbox, p_jitter) a
  loop
    if r.outcome <> 'ok' then v_failed := v_failed || r.s; end if;
    s := r.s;
    outcome := r.outcome;
    removed := r.removed;
    return next;
  end loop;
  insert into es.event_key (stream_id, key_id, wrapped_key, closed_at)
  select h.stream_id, x.key_id, decode(x.wrapped, 'base64'), h.closed_at
    from json_to_recordset(p_event_keys) as x (s integer, key_id text, wrapped text)
    join es.stream h on h.stream_id = p_ids[x.s]
   where not x.s = any (v_failed)
   order by h.stream_id collate "C"
  on conflict do nothing;
end $$;

revoke all on function es.append_with_keys from public;
grant execute on function es.append_with_keys to eci_fleet_app;
