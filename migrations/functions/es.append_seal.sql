-- Writes the next seal and moves the sealer's checkpoint over its events: both or neither. False: another sealer owns the checkpoint, or has
-- moved it. A seal that does not follow the newest one is refused, so the chain never forks.
create or replace function es.append_seal(p_owner text, p_seal json) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  r     es.seal%rowtype;
  v_tip record;
begin
  r.sequence := p_seal ->> 'sequence';
  r.fleet := p_seal ->> 'fleet';
  r.previous := p_seal ->> 'previous';
  r.generation := p_seal ->> 'generation';
  r.from_transaction_id := p_seal ->> 'from_transaction_id';
  r.from_position := p_seal ->> 'from_position';
  r.through_transaction_id := p_seal ->> 'through_transaction_id';
  r.through_position := p_seal ->> 'through_position';

  -- First, for it is the lock: whoever moves the checkpoint seals alone.
  if not es.move_checkpoint('audit-seal', p_owner, r.generation, r.from_transaction_id, r.from_position,
                            r.through_transaction_id, r.through_position) then
    return false;
  end if;
  select s.sequence, s.digest into v_tip from es.seal s order by s.sequence desc limit 1;
  if r.sequence <> coalesce(v_tip.sequence, 0) + 1
     or r.previous <> coalesce(v_tip.digest, decode(repeat('00', 32), 'hex')) then
    raise exception 'seal % does not follow seal %', r.sequence, coalesce(v_tip.sequence, 0) using errcode = 'ES002';
  end if;
  insert into es.seal (sequence, format, fleet, previous, merkle_root, events, generation, from_transaction_id, from_position,
                       through_transaction_id, through_position, recorded_from, recorded_to, sealed_at, entries, digest, key_id, signature)
  values (r.sequence, (p_seal ->> 'format')::smallint, r.fleet, r.previous, (p_seal ->> 'merkle_root')::bytea, (p_seal ->> 'events')::integer,
          r.generation, r.from_transaction_id, r.from_position, r.through_transaction_id, r.through_position,
          (p_seal ->> 'recorded_from')::timestamptz, (p_seal ->> 'recorded_to')::timestamptz, (p_seal ->> 'sealed_at')::timestamptz,
          p_seal ->> 'entries', (p_seal ->> 'digest')::bytea, p_seal ->> 'key_id', p_seal ->> 'signature');
  return true;
end $$;

revoke all on function es.append_seal from public;
grant execute on function es.append_seal to eci_fleet_app;
