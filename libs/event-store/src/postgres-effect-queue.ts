import type { Pool } from 'pg';
import { invalidRow } from './append-checks.ts';
import { EffectQueue, type EffectRow, type JsonObject } from './event-store.ts';
import { DEEPEST, isShallow, isStorable, isStorableJson } from './storable.ts';

interface EffectColumns {
  readonly stream_id: string;
  readonly kind: string;
  readonly key: string;
  readonly lane: string;
  readonly tenant: string;
  readonly priority: number;
  readonly data: JsonObject;
  readonly sealed: Buffer | null;
  readonly attempts: number;
  readonly sent_earlier: boolean;
  readonly put_at: Date;
  readonly claim_id: string;
  readonly run_at: Date;
}

/** How much work of one kind a lane holds. */
export interface LaneDepth {
  readonly lane: string;
  readonly kind: string;
  /** May be claimed now. */
  readonly due: number;
  /** Held by a worker. */
  readonly claimed: number;
  /** Due later. */
  readonly waiting: number;
}

/** Effects on PostgreSQL. Pass a pool made by `createPool`. */
export class PostgresEffectQueue extends EffectQueue {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    super();
    this.pool = pool;
  }

  async claim(request: {
    readonly lane: string;
    readonly kinds: readonly string[];
    readonly max: number;
    readonly claimId: string;
    readonly leaseMs: number;
  }): Promise<readonly EffectRow[]> {
    if (!isStorable(request.lane)) return [];
    const { rows } = await this.pool.query<EffectColumns>({
      name: 'es-claim',
      text: 'select * from es.claim_effects($1, $2, $3, $4, $5)',
      values: [request.lane, request.kinds, request.max, request.claimId, request.leaseMs],
    });
    return rows.map(toRow);
  }

  async dueLanes(): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ lane: string }>({
      name: 'es-due-lanes',
      text: 'select lane from es.lanes() where first_run_at <= (select es.now())',
    });
    return rows.map((row) => row.lane);
  }

  async nextDueAt(): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ at: Date | null }>({
      name: 'es-next-due',
      text: 'select min(first_run_at) as at from es.lanes()',
    });
    return rows[0]!.at?.toISOString();
  }

  async confirmClaims(
    claims: readonly {
      readonly streamId: string;
      readonly kind: string;
      readonly key: string;
      readonly claimId: string;
    }[],
    leaseMs: number,
  ): Promise<readonly { readonly streamId: string; readonly kind: string; readonly key: string }[]> {
    const held = claims.filter(isName);
    if (held.length === 0) return [];
    const { rows } = await this.pool.query<{ stream_id: string; kind: string; key: string }>({
      name: 'es-confirm',
      text: 'select stream_id, kind, key from es.confirm_effects($1, $2, $3, $4, $5)',
      values: [
        held.map((r) => r.streamId),
        held.map((r) => r.kind),
        held.map((r) => r.key),
        held.map((r) => r.claimId),
        leaseMs,
      ],
    });
    return rows.map((row) => ({ streamId: row.stream_id, kind: row.kind, key: row.key }));
  }

  async release(row: {
    readonly streamId: string;
    readonly kind: string;
    readonly key: string;
    readonly claimId: string;
    readonly afterMs: number;
    readonly notSent: boolean;
    readonly data?: JsonObject;
    readonly refundToken?: boolean;
  }): Promise<boolean> {
    const data = row.data === undefined ? null : dataJson(row.streamId, row.data);
    if (!isName(row)) return false;
    const { rows } = await this.pool.query<{ released: boolean }>({
      name: 'es-release',
      text: 'select es.release_effect($1, $2, $3, $4, $5, $6, $7, $8) as released',
      values: [
        row.streamId,
        row.kind,
        row.key,
        row.claimId,
        Math.round(row.afterMs),
        row.notSent,
        data,
        row.refundToken ?? false,
      ],
    });
    return rows[0]!.released;
  }

  async configureLane(lane: string, { rate, burst }: { readonly rate: number; readonly burst: number }): Promise<void> {
    if (!(rate > 0) || !(burst >= 1))
      throw new RangeError(`lane ${lane}: rate must be above 0 and burst at least 1, not ${rate} and ${burst}`);
    await this.pool.query('select es.configure_lane($1, $2, $3)', [lane, rate, burst]);
  }

  async laneThrottled(lane: string): Promise<void> {
    await this.pool.query('select es.lane_throttled($1)', [lane]);
  }

  async laneAccepted(lane: string): Promise<void> {
    await this.pool.query('select es.lane_accepted($1)', [lane]);
  }

  /** For metrics: reads every row. */
  async depth(): Promise<readonly LaneDepth[]> {
    const { rows } = await this.pool.query<LaneDepth>(
      `select lane, kind, count(*) filter (where run_at <= at)::int as due,
              count(*) filter (where run_at > at and claim_id is not null)::int as claimed,
              count(*) filter (where run_at > at and claim_id is null)::int as waiting
         from es.effect, (select es.now() as at) n group by lane, kind order by lane, kind`,
    );
    return rows;
  }
}

/** Whether a row can have that name. */
function isName(row: {
  readonly streamId: string;
  readonly kind: string;
  readonly key: string;
  readonly claimId: string;
}): boolean {
  return [row.streamId, row.kind, row.key, row.claimId].every(isStorable);
}

function dataJson(streamId: string, data: JsonObject): string {
  let json: string;
  try {
    json = JSON.stringify(data);
  } catch (error) {
    throw invalidRow(streamId, data, error);
  }
  if (!isStorableJson(json) || !isShallow(json, DEEPEST)) throw invalidRow(streamId, data);
  return json;
}

function toRow(row: EffectColumns): EffectRow {
  return {
    streamId: row.stream_id,
    kind: row.kind,
    key: row.key,
    lane: row.lane,
    tenant: row.tenant,
    priority: row.priority,
    data: row.data,
    ...(row.sealed && { sealed: row.sealed }),
    attempts: row.attempts,
    mayHaveBeenSent: row.sent_earlier,
    putAt: row.put_at.toISOString(),
    claimId: row.claim_id,
    claimedUntil: row.run_at.toISOString(),
  };
}
