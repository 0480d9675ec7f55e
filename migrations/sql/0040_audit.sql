-- Seals: a chain over the digests of all events, in the order in which readers see them. A seal covers the events after the one before it up to
-- its own cursor; `digest` is SHA-256 over RFC 8785 JSON of what it says (docs/developers/audit.md), and names the digest of the seal before. Signatures are made
-- with a key that PostgreSQL never sees.
create table es.seal (
  sequence              bigint primary key check (sequence > 0),
  format                smallint not null default 1,
  fleet                 text not null,
  -- Digest of the seal before; 32 zero bytes for the first.
  previous              bytea not null check (octet_length(previous) = 32),
  merkle_root           bytea not null check (octet_length(merkle_root) = 32),
  events                integer not null check (events > 0),
  generation            integer not null,
  -- After this, up to and with that.
  from_transaction_id   xid8 not null,
  from_position         bigint not null,
  through_transaction_id xid8 not null,
  through_position      bigint not null,
  -- Earliest and latest time of its events, and when it was made (whole milliseconds).
  recorded_from         timestamptz not null,
  recorded_to           timestamptz not null,
  sealed_at             timestamptz not null,
  -- What the leaves are made of: JSON [[stream, version, type, recorded at, digest], …]. It names an event that is missing later.
  entries               text not null,
  digest                bytea not null check (octet_length(digest) = 32),
  -- Absent: no key was configured.
  key_id                text,
  signature             text,
  check ((key_id is null) = (signature is null))
);
create index seal_by_cursor on es.seal (through_transaction_id, through_position);
create index seal_by_time on es.seal (recorded_to);
create trigger refuse_change before update or delete on es.seal for each row execute function es.refuse_change();
create trigger refuse_truncate before truncate on es.seal for each statement execute function es.refuse_change();

-- Public halves of the keys that have signed. For convenience: whoever can rewrite events can write here too, so auditors keep their own copy.
create table es.audit_key (
  key_id      text primary key,
  public_jwk  jsonb not null,
  first_seen  timestamptz not null
);

-- Up to which seal the feed has been told.
create table es.seal_published (
  only_row  boolean primary key default true check (only_row),
  sequence  bigint not null
);
insert into es.seal_published (sequence) values (0);

create function es.know_audit_key(p_key_id text, p_public_jwk jsonb) returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ insert into es.audit_key (key_id, public_jwk, first_seen) values (p_key_id, p_public_jwk, es.now()) on conflict do nothing $$;

-- Writes the next seal and moves the sealer's checkpoint over its events: both or neither. False: another sealer owns the checkpoint, or has
-- moved it. A seal that does not follow the newest one is refused, so the chain never forks.
create function es.append_seal(p_owner text, p_seal json) returns boolean
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

-- Notes how far the feed has been told. It only grows: two that publish at once repeat a seal, and lose none.
create function es.note_seals_published(p_through bigint) returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ update es.seal_published p set sequence = p_through where p.sequence < p_through $$;

-- Somebody who checks and changes nothing: `grant eci_fleet_auditor to <login>`.
do $$ begin create role eci_fleet_auditor nologin; exception when duplicate_object or unique_violation then null; end $$;
grant usage on schema es to eci_fleet_auditor;
grant select on es.event, es.stream, es.log, es.seal, es.audit_key to eci_fleet_auditor;

grant select on es.seal, es.audit_key, es.seal_published to eci_fleet_app;
revoke all on function es.know_audit_key(text, jsonb), es.append_seal(text, json), es.note_seals_published(bigint) from public;
grant execute on function es.know_audit_key(text, jsonb), es.append_seal(text, json), es.note_seals_published(bigint) to eci_fleet_app;
