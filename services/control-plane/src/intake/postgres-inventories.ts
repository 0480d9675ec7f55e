import type { Pool } from 'pg';
import { parseStreamId, streamIdOf } from '#libs/domain';
import { asSqlClient, PostgresCatalogue, type Catalogue } from '#libs/event-store';
import type { Clock } from '#libs/runtime';
import {
  Inventories,
  MAX_INVENTORY_BYTES,
  type InventoryPod,
  type KeptPart,
  type RememberedInventory,
} from './ports.ts';

/** Parts of a set that never became complete are forgotten after this. */
const FORGET_PARTS_MS = 3_600_000;

export class PostgresInventories extends Inventories {
  private readonly pool: Pool;
  private readonly catalogue: Catalogue;
  private readonly clock: Clock;

  constructor(parts: { readonly pool: Pool; readonly clock: Clock }) {
    super();
    this.pool = parts.pool;
    this.catalogue = new PostgresCatalogue(asSqlClient(parts.pool));
    this.clock = parts.clock;
  }

  async keep(part: {
    readonly clusterId: string;
    readonly inventoryId: string;
    readonly chunk: number;
    readonly chunks: number;
    readonly pods: readonly InventoryPod[];
  }): Promise<KeptPart> {
    const { clusterId, inventoryId, chunk, chunks, pods } = part;
    if (chunks === 1) return { state: 'complete', pods };
    // An inventory's parts share a partition and come in their order: what else is here of this cluster is older, and will never be whole.
    await this.pool.query(
      'delete from fleet.inventory_chunk where cluster_id = $1 and (inventory_id <> $2 or chunks <> $3)',
      [clusterId, inventoryId, chunks],
    );
    await this.pool.query(
      `insert into fleet.inventory_chunk (cluster_id, inventory_id, chunk, chunks, pods, received_at)
       select $1, $2, $3, $4, $5::jsonb, $6
        where octet_length($5::jsonb::text) <= $7 - (select coalesce(sum(pods_bytes), 0) from fleet.inventory_chunk where cluster_id = $1)
       on conflict do nothing`,
      [clusterId, inventoryId, chunk, chunks, JSON.stringify(pods), this.now(), MAX_INVENTORY_BYTES],
    );
    const { rows: counted } = await this.pool.query<{ parts: number; kept: boolean }>(
      `select count(*)::integer as parts, coalesce(bool_or(chunk = $3), false) as kept
         from fleet.inventory_chunk where cluster_id = $1 and inventory_id = $2`,
      [clusterId, inventoryId, chunk],
    );
    if (counted[0]?.kept !== true) return { state: 'too-large' };
    if (counted[0].parts < chunks) return { state: 'incomplete' };
    const { rows } = await this.pool.query<{ pods: InventoryPod[] }>(
      'select pods from fleet.inventory_chunk where cluster_id = $1 and inventory_id = $2 order by chunk',
      [clusterId, inventoryId],
    );
    return { state: 'complete', pods: rows.flatMap((row) => row.pods) };
  }

  /** Forgets parts whose set never became complete; returns how many. */
  async forgetOldParts(): Promise<number> {
    const { rowCount } = await this.pool.query('delete from fleet.inventory_chunk where received_at < $1', [
      new Date(this.clock.now() - FORGET_PARTS_MS),
    ]);
    return rowCount ?? 0;
  }

  async last(clusterId: string): Promise<RememberedInventory | undefined> {
    const { rows } = await this.pool.query<{
      inventory_id: string;
      completed_at: Date;
      unknown_pods: string[];
      missing_pods: string[];
      key_generation: number;
    }>('select * from fleet.inventory_last where cluster_id = $1', [clusterId]);
    const row = rows[0];
    return (
      row && {
        inventoryId: row.inventory_id,
        completedAt: row.completed_at.getTime(),
        unknownPods: row.unknown_pods,
        missingPods: row.missing_pods,
        keyGeneration: row.key_generation,
      }
    );
  }

  async keyGeneration(clusterId: string): Promise<number> {
    const { rows } = await this.pool.query<{ key_generation: number }>(
      'select key_generation from fleet.cluster where id = $1',
      [clusterId],
    );
    return rows[0]?.key_generation ?? 0;
  }

  async remember(clusterId: string, inventory: RememberedInventory): Promise<void> {
    const { inventoryId, completedAt, unknownPods, missingPods, keyGeneration } = inventory;
    await this.pool.query(
      `insert into fleet.inventory_last (cluster_id, inventory_id, completed_at, unknown_pods, missing_pods, key_generation) values ($1, $2, $3, $4, $5, $6)
       on conflict (cluster_id) do update set inventory_id = excluded.inventory_id, completed_at = excluded.completed_at,
         unknown_pods = excluded.unknown_pods, missing_pods = excluded.missing_pods, key_generation = excluded.key_generation`,
      [clusterId, inventoryId, new Date(completedAt), unknownPods, missingPods, keyGeneration],
    );
    await this.pool.query('delete from fleet.inventory_chunk where cluster_id = $1', [clusterId]);
  }

  async openStreams(clusterId: string): Promise<ReadonlyMap<string, number>> {
    const open = await this.catalogue.openStreams(streamIdOf(clusterId, ''));
    return new Map([...open].map(([streamId, version]) => [parseStreamId(streamId)?.podUid ?? '', version]));
  }

  existing(streamIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.catalogue.versionsOf(streamIds);
  }

  async quarantined(clusterId: string, since: number): Promise<ReadonlySet<string>> {
    const { rows } = await this.pool.query<{ message_key: string }>(
      `select distinct message_key from fleet.quarantine
        where (case when proven then cluster_id else '' end) = $1 and last_seen_at >= $2`,
      [clusterId, new Date(since)],
    );
    return new Set(rows.map((row) => row.message_key.slice(row.message_key.indexOf('/') + 1)));
  }

  private now(): Date {
    return new Date(this.clock.now());
  }
}
