import type { Pool } from 'pg';
import { parseStreamId, streamIdOf } from '#libs/domain';
import type { EventStore } from '#libs/event-store';
import { aliasOf } from '../streams/alias.ts';
import { notFound } from '../answers/refusal.ts';

/** Finds a stream by any name that people have for it. */
export class StreamFinder {
  private readonly store: EventStore;
  private readonly pool: Pool;

  constructor(parts: { readonly store: EventStore; readonly pool: Pool }) {
    this.store = parts.store;
    this.pool = parts.pool;
  }

  /**
   * `container_group:<clusterId>:<podUid>`, `<clusterId>/<podUid>`, or the id that ECI gave a group (also one of an earlier attempt). Throws a
   * problem when the text can be none of them or nothing has that id. The stream of the first two forms is not looked for here.
   */
  async find(id: string): Promise<string> {
    if (parseStreamId(id)) return id;
    const slash = id.indexOf('/');
    if (slash > 0 && slash < id.length - 1) return streamIdOf(id.slice(0, slash), id.slice(slash + 1));
    const { rows } = await this.pool.query<{ stream_id: string }>(
      'select stream_id from fleet.container_group where container_group_id = $1 limit 1',
      [id],
    );
    return rows[0]?.stream_id ?? (await this.byAlias(id)) ?? this.unknown(id);
  }

  /** Aliases name account and region too: those that the fleet has ever used. */
  private async byAlias(containerGroupId: string): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ account: string; region: string }>(
      'select account_id as account, region from fleet.scope',
    );
    const found = await this.store.findByAlias(
      rows.map(({ account, region }) => aliasOf(account, region, containerGroupId)),
    );
    return found.values().next().value;
  }

  private unknown(id: string): never {
    throw notFound(
      `there is no container group ${id.slice(0, 100)}; ids look like container_group:<clusterId>:<podUid>, <clusterId>/<podUid> or eci-…`,
    );
  }
}
