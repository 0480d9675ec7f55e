import type { Pool } from 'pg';
import type { Clock } from '#libs/runtime';

/** A message that was not understood, as it came. `reason` must hold no secret. */
export interface QuarantinedMessage {
  readonly topic: string;
  readonly epoch: number;
  readonly partition: number;
  readonly offset: string;
  readonly key: string;
  readonly reason: string;
  readonly clusterId?: string;
  /** The envelope's clear part as it came, when it could be read. */
  readonly clear?: string;
  /** The whole message; what is sealed in it stays sealed. `null` when it had no value. */
  readonly original: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

interface Executor {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** Where messages wait for somebody to look at them. A message is kept once, however often it comes. */
export class Quarantine {
  private readonly pool: Pool;
  private readonly clock: Clock;

  constructor(parts: { readonly pool: Pool; readonly clock: Clock }) {
    this.pool = parts.pool;
    this.clock = parts.clock;
  }

  /** Idempotent per (topic, epoch, partition, offset). `tx` = within somebody's transaction; default: on its own. */
  async add(message: QuarantinedMessage, tx: Executor = this.pool): Promise<void> {
    await tx.query(
      `insert into fleet.quarantine
         (topic, log_epoch, partition, message_offset, message_key, cluster_id, reason, clear_part, original, headers, quarantined_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
       on conflict (topic, log_epoch, partition, message_offset) do nothing`,
      [
        message.topic,
        message.epoch,
        message.partition,
        message.offset,
        storable(message.key),
        message.clusterId === undefined ? null : storable(message.clusterId),
        storable(message.reason),
        message.clear === undefined ? null : storable(message.clear),
        message.original === null ? null : Buffer.from(message.original),
        JSON.stringify(
          Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [storable(name), storable(value)])),
        ),
        new Date(this.clock.now()),
      ],
    );
  }
}

/** PostgreSQL's text cannot hold U+0000, nor JSON a lone surrogate; bytes that made no sense may hold both. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\uFFFD');
}
