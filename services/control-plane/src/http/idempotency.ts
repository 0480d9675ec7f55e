import { createHash } from 'node:crypto';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Pool } from 'pg';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { Clock } from '#libs/runtime';
import { invalid } from '../answers/refusal.ts';
import type { MasterKey } from '../keys/master-key.ts';
import { authenticatesItself } from './admin.guard.ts';
import { Problem, problemType } from './problem.ts';

const DAY_MS = 86_400_000;
/** A request whose process died answers nobody; its key is free again after this. */
const ABANDONED_MS = 60_000;

/** For the documentation of routes that honour it. */
export const IDEMPOTENCY_HEADER = {
  name: 'Idempotency-Key',
  required: false,
  description: 'Repeating the request with the same key within a day gives the first answer again.',
} as const;

interface Row {
  readonly request_digest: Buffer;
  readonly status: number | null;
  readonly response: Buffer | null;
  readonly started_at: Date;
}

/**
 * `Idempotency-Key` on POSTs: the first answer is kept for a day and given again, whoever repeats the request and on whatever replica. The
 * same key with another body, or while the first request is still being answered, is refused. Answers rest wrapped by the master key, since
 * one of them holds a join token. Only successes are kept: after an error the request may simply be made again.
 */
export class IdempotencyInterceptor implements NestInterceptor {
  private readonly pool: Pool;
  private readonly masterKey: MasterKey;
  private readonly clock: Clock;

  constructor(parts: { readonly pool: Pool; readonly masterKey: MasterKey; readonly clock: Clock }) {
    this.pool = parts.pool;
    this.masterKey = parts.masterKey;
    this.clock = parts.clock;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    const key = request.headers['idempotency-key'];
    // Whoever proves who he is does so each time: a repeated answer would outlive the proof, and go to whoever has the request.
    if (request.method !== 'POST' || key === undefined || authenticatesItself(context)) return next.handle();
    return from(this.once(request, context.switchToHttp().getResponse<Response>(), String(key), next));
  }

  /** Forgets answers older than a day; returns how many. */
  async forgetOld(): Promise<number> {
    const { rowCount } = await this.pool.query('delete from fleet.idempotent_request where started_at <= $1', [
      new Date(this.clock.now() - DAY_MS),
    ]);
    return rowCount ?? 0;
  }

  private async once(request: Request, response: Response, key: string, next: CallHandler): Promise<unknown> {
    if (!/^[\x21-\x7e]{1,200}$/.test(key))
      throw invalid([{ parameter: 'Idempotency-Key', detail: 'use 1–200 visible ASCII characters' }]);
    const scope = `${request.method} ${request.path}`;
    const digest = createHash('sha256')
      .update(JSON.stringify(request.body ?? null))
      .digest();
    const purpose = `idempotent-response:${scope}:${key}`;

    const known = await this.begin(scope, key, digest);
    if (known) {
      if (!known.request_digest.equals(digest)) {
        throw new Problem({
          status: 422,
          type: problemType('idempotency-key-reused'),
          title: 'Idempotency-Key reused',
          detail: 'this Idempotency-Key came with another body before; use a new key for a new request',
        });
      }
      if (known.status === null || known.response === null) {
        throw new Problem({
          status: 409,
          type: problemType('request-in-progress'),
          title: 'Request in progress',
          detail: 'a request with this Idempotency-Key is being answered; ask again in a moment',
          headers: { 'Retry-After': '1' },
        });
      }
      response.status(known.status);
      response.setHeader('Idempotency-Replayed', 'true');
      return JSON.parse(Buffer.from(this.masterKey.unwrap(known.response, purpose)).toString('utf8')) as unknown;
    }

    try {
      const body: unknown = await lastValueFrom(next.handle(), { defaultValue: undefined });
      const sealed = this.masterKey.wrap(Buffer.from(JSON.stringify(body ?? null), 'utf8'), purpose);
      await this.pool.query(
        'update fleet.idempotent_request set status = $3, response = $4 where scope = $1 and idempotency_key = $2',
        [scope, key, response.statusCode, Buffer.from(sealed)],
      );
      return body;
    } catch (error) {
      await this.pool.query(
        'delete from fleet.idempotent_request where scope = $1 and idempotency_key = $2 and status is null',
        [scope, key],
      );
      throw error;
    }
  }

  /** Takes the key; returns what is known of it when somebody had it before. */
  private async begin(scope: string, key: string, digest: Buffer): Promise<Row | undefined> {
    const now = this.clock.now();
    const { rowCount } = await this.pool.query(
      `insert into fleet.idempotent_request as r (scope, idempotency_key, request_digest, started_at) values ($1, $2, $3, $4)
       on conflict (scope, idempotency_key) do update
          set request_digest = excluded.request_digest, status = null, response = null, started_at = excluded.started_at
        where r.started_at <= $5 or (r.status is null and r.started_at <= $6)`,
      [scope, key, digest, new Date(now), new Date(now - DAY_MS), new Date(now - ABANDONED_MS)],
    );
    if (rowCount === 1) return undefined;
    const { rows } = await this.pool.query<Row>(
      'select request_digest, status, response, started_at from fleet.idempotent_request where scope = $1 and idempotency_key = $2',
      [scope, key],
    );
    // Released in this very moment by a failed request: its caller may repeat, and so may ours.
    return rows[0] ?? this.begin(scope, key, digest);
  }
}
