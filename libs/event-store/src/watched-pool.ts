import type { EventEmitter } from 'node:events';
import pg from 'pg';
import { endsConnection } from '#libs/observability';

/** What of `pg.Client` is not in its types. */
interface Inside {
  readonly connection: EventEmitter;
  _getActiveQuery?(): unknown;
}

type Connected = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/** TLS files of a connection that cannot be read just now; in words without a path, by a code like those of Node's TLS. */
class TlsFilesAway extends Error {
  override readonly name = 'TlsFilesAway';
  readonly code = 'ERR_TLS_FILES';

  constructor(cause: unknown) {
    const { code } = cause as NodeJS.ErrnoException;
    super(`the files that the connection needs for TLS cannot be read (${code ?? 'error'})`, { cause });
  }
}

/**
 * Remembers the last words of its server, whichever way they were asked for. Files that are named in its URL are read when it is made: where they are
 * away, connecting fails, and not the making, which would throw at the pool in the middle of something else.
 */
class WatchedClient extends pg.Client {
  private ended: boolean;
  private readonly unusable: Error | undefined;

  constructor(config?: string | pg.ClientConfig) {
    let unusable: Error | undefined;
    try {
      super(config);
    } catch (error) {
      super({});
      unusable = new TlsFilesAway(error);
    }
    this.ended = false;
    this.unusable = unusable;
    (this as unknown as Inside).connection.on('errorMessage', (error: unknown) => {
      this.ended ||= endsConnection(error);
    });
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.Client> | void {
    const { unusable } = this;
    if (unusable === undefined) return callback === undefined ? super.connect() : super.connect(callback);
    if (callback === undefined) return Promise.reject(unusable);
    // Never before `connect` has returned.
    setImmediate(callback as (error: Error) => void, unusable);
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
