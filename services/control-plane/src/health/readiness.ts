import type { Pool } from 'pg';
import { errorMessage } from '#libs/observability';
import type { Messaging } from '#libs/messaging';
import type { RunningRole } from '../parts.ts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What is wrong, when something is. */
  readonly reason?: string;
}

const PATIENCE_MS = 2_000;

/** Whether this process can do its work now, and if not, why. */
export class Readiness {
  private readonly pool: Pool;
  private readonly messaging: Messaging;
  private roles: ReadonlyMap<string, RunningRole> | undefined;
  private stopping = false;

  constructor(parts: { readonly pool: Pool; readonly messaging: Messaging }) {
    this.pool = parts.pool;
    this.messaging = parts.messaging;
  }

  /** All roles have been started. */
  started(roles: ReadonlyMap<string, RunningRole>): void {
    this.roles = roles;
  }

  stop(): void {
    this.stopping = true;
  }

  async checks(): Promise<readonly Check[]> {
    const roles = [...(this.roles ?? [])].map(([name, role]) => check(`role ${name}`, role.trouble()));
    return [
      check('postgresql', await this.database()),
      check('messaging', this.messaging.healthy() ? undefined : 'the broker does not answer'),
      check(
        'start',
        this.stopping ? 'stopping' : this.roles === undefined ? 'starting: waiting for what it needs' : undefined,
      ),
      ...roles,
    ];
  }

  private async database(): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`no answer within ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
    });
    try {
      return await Promise.race([this.pool.query('select 1').then(() => undefined, errorMessage), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const check = (name: string, reason: string | undefined): Check =>
  reason === undefined ? { name, ok: true } : { name, ok: false, reason };
