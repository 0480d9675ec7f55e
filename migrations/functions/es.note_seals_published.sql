-- Notes how far the feed has been told. It only grows: two that publish at once repeat a seal, and lose none.
create or replace function es.note_seals_published(p_through bigint) returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ update es.seal_published p set sequence = p_through where p.sequence < p_through $$;

revoke all on function es.note_seals_published from public;
grant execute on function es.note_seals_published to eci_fleet_app;
