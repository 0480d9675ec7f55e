import type { Pool, PoolClient } from 'pg';
import { PostgresEventStore } from '#libs/event-store';
import type { Clock, Ids } from '#libs/runtime';
import { inTransaction } from '../transaction.ts';
import { DeciderRunner, StreamBusy } from './decider-runner.ts';
import type { Happened, StreamKind, Versioned } from './stream-kind.ts';

/** Rows that everybody goes by, and the streams that tell what is done to each. */
export interface ToldTable<Row, State, Command, Event> {
  readonly kind: StreamKind<State, Command, Event, never>;
  readonly table: 'fleet.cluster' | 'fleet.account';
  readonly streamIdOf: (id: string) => string;
  /** What brings a stream to the row as it is. Does nothing where the stream tells it already. */
  readonly observe: (row: Row) => Command;
}

/**
 * Decides commands on the stream of a row and appends what follows, with the change. `before`: the row as it is held, and nothing done to it yet: what
 * was not told of it is told first; undefined: it is new. Throws where the stream refuses.
 */
export type Tell<Row, Command> = (
  id: string,
  before: Row | undefined,
  commands: readonly Command[],
  actor: string,
) => Promise<void>;

/** A change does not follow on what the stream of its row tells. */
class UntoldChange extends Error {
  override readonly name = 'UntoldChange';
}

const TRIES = 10;
const PAGE = 500;
const HOUSEKEEPING = 'control-plane:housekeeping';

/**
 * Changes of rows, each told in the row's stream in the same transaction: whenever a process dies, there is neither a change that was not told, nor a
 * tale of one that was not made.
 */
export class ToldChanges<
  Row extends { readonly id: string },
  State extends Versioned,
  Command extends object,
  Event extends Happened,
> {
  private readonly told: ToldTable<Row, State, Command, Event>;
  private readonly parts: { readonly pool: Pool; readonly clock: Clock; readonly ids: Ids };

  constructor(
    told: ToldTable<Row, State, Command, Event>,
    parts: { readonly pool: Pool; readonly clock: Clock; readonly ids: Ids },
  ) {
    this.told = told;
    this.parts = parts;
  }

  /**
   * Runs `work` in one transaction, whose connection it changes rows by. It holds the row before it tells, so that nobody else does meanwhile; and it may
   * run again from the top, undone, because a transaction that began before the stream's last one appends nothing.
   */
  async inTransaction<T>(work: (client: PoolClient, tell: Tell<Row, Command>) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await inTransaction(this.parts.pool, (client) => work(client, this.tellBy(client)));
      } catch (error) {
        if (!(error instanceof StreamBusy) || tries === TRIES) throw error;
      }
    }
  }

  /** The row, which nobody else changes until the transaction ends. */
  async hold(client: PoolClient, id: string): Promise<Row | undefined> {
    const { rows } = await client.query<Row>(`select * from ${this.told.table} where id = $1 for update`, [id]);
    return rows[0];
  }

  /**
   * Tells of rows that were there before there were streams of them, and of what a release that knows of no such streams changed; returns of how many.
   * Any number of processes may do it.
   */
  async tellUntold(): Promise<number> {
    let count = 0;
    for (let after = ''; ;) {
      const { rows } = await this.parts.pool.query<Row>(
        `select * from ${this.told.table} where id > $1 order by id limit $2`,
        [after, PAGE],
      );
      const untold = await this.untold(rows);
      for (const { id } of untold)
        await this.inTransaction(async (client, tell) => tell(id, await this.hold(client, id), [], HOUSEKEEPING));
      count += untold.length;
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return count;
      after = last.id;
    }
  }

  private async untold(rows: readonly Row[]): Promise<readonly Row[]> {
    const { kind, streamIdOf, observe } = this.told;
    const now = new Date(this.parts.clock.now()).toISOString();
    const states = await this.runner(this.parts.pool).loadMany(rows.map(({ id }) => streamIdOf(id)));
    return rows.filter((row) => {
      const decision = kind.decider.decide(observe(row), states.get(streamIdOf(row.id))!, now);
      return decision.accepted && decision.events.length > 0;
    });
  }

  private tellBy(client: PoolClient): Tell<Row, Command> {
    const { streamIdOf, observe } = this.told;
    const runner = this.runner(client);
    return async (id, before, commands, actor) => {
      const all = before ? [observe(before), ...commands] : commands;
      const ran = await runner.executeOnce(streamIdOf(id), all, { actor });
      if (ran.kind === 'conflict') throw new StreamBusy(`${streamIdOf(id)} has changed since this transaction began`);
      const [refusal] = ran.kind === 'done' ? ran.refusals : [];
      if (refusal) throw new UntoldChange(`${streamIdOf(id)}: ${refusal.message}`);
    };
  }

  private runner(client: Pick<Pool, 'query'>): DeciderRunner<State, Command, Event, never> {
    const { clock, ids } = this.parts;
    return new DeciderRunner(this.told.kind, { clock, ids, store: new PostgresEventStore(client) });
  }
}
