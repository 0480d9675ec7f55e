import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import { tap, type Observable } from 'rxjs';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import { callerAddress } from '../http/caller-address.ts';
import { FailureLimit } from '../http/failure-limit.ts';
import { Refusal, tooOften, type RefusalCode } from '../answers/refusal.ts';
import { claimedCluster } from './assertion.ts';

/** Refusals in a minute of one address in the name of one cluster. */
const OF_A_CLUSTER = 60;
/** And in whatever name: many agents may come from behind one address, each with a fault of its own. */
const OF_AN_ADDRESS = 600;
/** Refusals that count. Any other comes after the caller was recognised. */
const OF_STRANGERS: ReadonlySet<RefusalCode> = new Set([
  'invalid-request',
  'agent-not-authenticated',
  'join-token-unknown',
]);
/** Clusters that are remembered for having proven themselves from an address. */
const MOST_PROVEN = 10_000;

/**
 * Limits whom the agents' routes refuse. An address that is refused too often is not looked at any more for a while; a cluster that has proven itself from
 * there is, so that neither a neighbour that lost its key nor a stranger behind the same address ends anybody's session.
 */
export class StrangersLimit {
  private readonly ofCluster: FailureLimit;
  private readonly ofAddress: FailureLimit;
  private readonly said: FailureLimit;
  /** The one that proved itself last at the end. */
  private readonly proven = new Set<string>();
  private readonly logger: Logger;
  private readonly throttled;

  constructor({
    clock,
    logger,
    metrics,
  }: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.ofCluster = new FailureLimit({ perMinute: OF_A_CLUSTER, clock });
    this.ofAddress = new FailureLimit({ perMinute: OF_AN_ADDRESS, clock });
    this.said = new FailureLimit({ perMinute: 1, clock });
    this.logger = logger;
    this.throttled = metrics.counter(
      'eci_fleet_agent_calls_throttled_total',
      'Calls of agents that were not looked at, because their address was refused too often',
    );
  }

  /** Answers a call, or refuses to look at it. */
  watch(request: Request, answer: () => Observable<unknown>): Observable<unknown> {
    const address = callerAddress(request);
    const name = `${address} ${nameIn(request.body)}`;
    const wait =
      this.ofCluster.mustWait(name) ?? (this.proven.has(name) ? undefined : this.ofAddress.mustWait(address));
    if (wait !== undefined) throw this.refusal(address, wait);
    return answer().pipe(
      tap({
        next: () => this.prove(name),
        error: (error: unknown) => {
          if (!(error instanceof Refusal) || !OF_STRANGERS.has(error.code)) return;
          this.ofCluster.failed(name);
          this.ofAddress.failed(address);
        },
      }),
    );
  }

  private prove(name: string): void {
    this.proven.delete(name);
    this.proven.add(name);
    const [oldest] = this.proven;
    if (this.proven.size > MOST_PROVEN && oldest !== undefined) this.proven.delete(oldest);
  }

  private refusal(address: string, wait: number): Refusal {
    this.throttled.inc();
    if (this.said.admits(address))
      this.logger.warn('agents of an address were refused too often; more of it is said once a minute', { address });
    return tooOften('agents of your address were refused too often', wait);
  }
}

@Injectable()
export class LimitStrangers implements NestInterceptor {
  constructor(private readonly limit: StrangersLimit) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return this.limit.watch(context.switchToHttp().getRequest<Request>(), () => next.handle());
  }
}

/** The cluster that a call is made for, as it says; a join has only its token. */
function nameIn(body: unknown): string {
  const { assertion } = (body ?? {}) as { readonly assertion?: unknown };
  try {
    return typeof assertion === 'string' ? claimedCluster(assertion) : '';
  } catch {
    return '';
  }
}
