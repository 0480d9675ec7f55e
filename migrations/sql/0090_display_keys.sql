-- Keys of what is sealed inside the events of a stream. The key of es.sealed is destroyed when the stream has no more to do; this one lives on after
-- the stream is closed, for as long as people may look at what it hides, and is then forgotten. The row stays and says when.
create table es.event_key (
  stream_id    text collate "C" primary key,
  key_id       text,
  wrapped_key  bytea,
  -- Of the stream.
  closed_at    timestamptz,
  forgotten_at timestamptz,
  check ((wrapped_key is null) = (forgotten_at is not null) and (key_id is null) = (wrapped_key is null))
);
-- Forgetting costs by what is due.
create index event_key_due on es.event_key (closed_at) where forgotten_at is null and closed_at is not null;
grant select on es.event_key to eci_fleet_app, eci_fleet_archiver;

create function es.close_event_key() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update es.event_key set closed_at = new.closed_at where stream_id = new.stream_id;
  return null;
end $$;
create trigger close_event_key after update of closed_at on es.stream for each row
  when (old.closed_at is null and new.closed_at is not null) execute function es.close_event_key();

-- es.append_2 for streams that bring a key for their events: [{s, key_id, wrapped (base64)}]. The first key of a stream stays.
create function es.append_with_keys(
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

-- Forgets keys of streams that were closed before, the longest closed first; answers how many.
create function es.forget_event_keys(p_closed_before timestamptz, p_most integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  v_forgotten integer;
begin
  update es.event_key k set key_id = null, wrapped_key = null, forgotten_at = es.now()
   where k.stream_id in (
     select d.stream_id from es.event_key d
      where d.closed_at < p_closed_before and d.forgotten_at is null
      order by d.closed_at limit p_most for update skip locked);
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end $$;

revoke all on function es.close_event_key(), es.forget_event_keys(timestamptz, integer), es.append_with_keys(
  text[], bigint[], integer[], boolean[], boolean[], text[], text[], text[], boolean[],
  integer[], bigint[], uuid[], text[], smallint[], jsonb[], jsonb[], bytea[], json, json, json, json, json, json, bytea[], json,
  double precision, json
) from public;
grant execute on function es.forget_event_keys(timestamptz, integer), es.append_with_keys(
  text[], bigint[], integer[], boolean[], boolean[], text[], text[], text[], boolean[],
  integer[], bigint[], uuid[], text[], smallint[], jsonb[], jsonb[], bytea[], json, json, json, json, json, json, bytea[], json,
  double precision, json
) to eci_fleet_app;

-- What every process that ever served this fleet could do. A fleet that was begun by an older release has no row.
create table fleet.begun_with (
  ability text collate "C" primary key,
  since   timestamptz not null default es.now()
);
