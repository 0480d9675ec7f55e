import type { EventEmitter } from 'node:events';
import pg from 'pg';

/**
 * SQLSTATEs after which a connection is good for nothing more, though it may still answer: connection (08), transaction state (25: a server that was
 * demoted answers 25006 to every write, a transaction that was left open 25P02), the server stops, starts or ended the session (57P), is out of
 * connections (53300), or has trouble with its system (58). Another connection may meet another server.
 */
const LAST_WORDS = /^(?:08|25|57P|53300|58)/;

export const endsConnection = (code: unknown): boolean => typeof code === 'string' && LAST_WORDS.test(code);

/** What of `pg.Client` is not in its types. */
interface Inside {
  readonly connection: EventEmitter;
  _getActiveQuery?(): unknown;
}

/** Remembers the last words of its server, whichever way they were asked for. */
class WatchedClient extends pg.Client {
  private ended = false;

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    (this as unknown as Inside).connection.on('errorMessage', ({ code }: { readonly code?: unknown }) => {
      this.ended ||= endsConnection(code);
    });
  }

  /** A statement that was given up after its time runs on, and would keep the next one waiting. */
  get spent(): boolean {
    return this.ended || Boolean((this as unknown as Inside)._getActiveQuery?.());
  }
}

/**
 * The pool that everything uses: a connection whose server said its last words on it is thrown away when it comes back, instead of being handed out
 * for ever. After a fail-over the hot connections of a demoted server would otherwise never leave.
 */
export class WatchedPool extends pg.Pool {
  constructor(config: pg.PoolConfig) {
    super({ ...config, Client: WatchedClient });
    // Said before the pool decides whether it keeps the connection; one that is ending it does not.
    this.on('release', (_error, client) => {
      if (client instanceof WatchedClient && client.spent) void client.end().catch(() => undefined);
    });
  }
}

/** The same for pools that are made by others (TypeORM: `driver: watchedDriver`). */
export const watchedDriver = { ...pg, Pool: WatchedPool };
