-- Parts of inventories that are not complete are bounded: of each cluster one inventory, so many bytes. What is at rest from before was not, and the
-- next inventories bring it back.
truncate fleet.inventory_chunk;

-- Counted by PostgreSQL itself, so that nobody has to load a part to know its size, whichever version wrote it.
alter table fleet.inventory_chunk add column pods_bytes integer generated always as (octet_length(pods::text)) stored;
