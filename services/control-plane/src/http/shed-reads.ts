import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import { finalize, from, switchMap, type Observable } from 'rxjs';
import type { Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import { Problem, problemType } from './problem.ts';

interface ReadGateOptions {
  /** Reads that may ask the database at the same time. */
  readonly atOnce: number;
  /** Reads that may wait for their turn; the next one is refused at once. */
  readonly waiting: number;
  /** How long one waits before it is refused, milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

/** Lets few in at a time, in the order in which they came, and refuses whom it would keep waiting for long. */
export class ReadGate {
  private readonly options: ReadGateOptions;
  private readonly queue: ((enter: boolean) => void)[] = [];
  private inside = 0;

  constructor(options: ReadGateOptions) {
    this.options = options;
  }

  /** True = come in, and call `leave` afterwards; false = turned away. */
  async enter(): Promise<boolean> {
    const { atOnce, waiting, patienceMs, clock } = this.options;
    if (this.inside < atOnce) {
      this.inside += 1;
      return true;
    }
    if (this.queue.length >= waiting) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const answered = new AbortController();
    this.queue.push(resolve);
    void clock.sleep(patienceMs, answered.signal).then(() => {
      const at = this.queue.indexOf(resolve);
      if (at < 0) return;
      this.queue.splice(at, 1);
      resolve(false);
    });
    const entered = await promise;
    answered.abort();
    return entered;
  }

  leave(): void {
    const next = this.queue.shift();
    if (next) next(true);
    else this.inside -= 1;
  }
}

/**
 * Reads of the API give way when the database is slow or has no connection to spare: they get half of the connections at most, a short queue, and
 * then 503 with Retry-After. What is written (by operators, by agents, by the loops) never stands behind them.
 */
@Injectable()
export class ShedReads implements NestInterceptor {
  private readonly gate: ReadGate;
  private readonly shed;

  constructor({ connections, clock, metrics }: { connections: number; clock: Clock; metrics: Metrics }) {
    const atOnce = Math.max(2, Math.floor(connections / 2));
    this.gate = new ReadGate({ atOnce, waiting: 10 * atOnce, patienceMs: 5_000, clock });
    this.shed = metrics.counter(
      'eci_fleet_reads_shed_total',
      'Reads of the API that were refused for want of connections',
    );
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { method, path } = context.switchToHttp().getRequest<Request>();
    // A stream of events stays open for hours, and asks the database only now and then.
    if (method !== 'GET' || !path.startsWith('/api/v1/') || path === '/api/v1/stream') return next.handle();
    return from(this.gate.enter()).pipe(
      switchMap((entered) => {
        if (!entered) {
          this.shed.inc();
          throw busy();
        }
        return next.handle().pipe(finalize(() => this.gate.leave()));
      }),
    );
  }
}

const busy = (): Problem =>
  new Problem({
    status: 503,
    type: problemType('busy'),
    title: 'Too busy to read',
    detail: 'the database has no connection to spare for reads now; try again in a few seconds',
    headers: { 'Retry-After': '3' },
  });
