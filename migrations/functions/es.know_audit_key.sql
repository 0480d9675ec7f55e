-- Keeps the public half of a key that signs, for convenience: auditors keep their own copy.
create or replace function es.know_audit_key(p_key_id text, p_public_jwk jsonb) returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ insert into es.audit_key (key_id, public_jwk, first_seen) values (p_key_id, p_public_jwk, es.now()) on conflict do nothing $$;

revoke all on function es.know_audit_key from public;
grant execute on function es.know_audit_key to eci_fleet_app;
