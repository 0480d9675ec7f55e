import {
  accountGate,
  attemptInDoubt,
  capacityGate,
  placeOf,
  type ContainerGroupState,
  type CreateOutcome,
  type RefusalClass,
} from '#libs/domain';
import type { CreateAnswer, FrozenCreate } from '#libs/eci';
import type { EffectChange, EffectRow } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import { laneOfEffect } from '../streams/lanes.ts';
import type { ExecuteOptions, StreamCommands } from '../streams/stream-commands.ts';
import type { EachRow } from './each-row.ts';
import type { FleetViews } from './fleet-view.ts';
import { claimOf, type Releases } from './held-effect.ts';
import type { EffectMetrics } from './metrics.ts';
import { ACTOR, type EffectParts } from './ports.ts';

/** A claimed Create row, and what it sends. */
export interface HeldCreate {
  readonly row: EffectRow;
  readonly attempt: number;
  readonly frozen: FrozenCreate;
  /** The state as it was last loaded or written by us. */
  readonly state: ContainerGroupState;
}

/** Repeats of one token: often at first, for most unknown outcomes are a moment's trouble. */
const REPEAT_UNKNOWN = { baseMs: 1_000, capMs: 30_000 };
const REPEAT_NOT_SENT = { baseMs: 500, capMs: 15_000 };
const REPEAT_THROTTLED = { baseMs: 1_000, capMs: 20_000 };
/** The lane is told of accepted calls at most this often. */
const ACCEPTED_EVERY_MS = 1_000;

/** Sends frozen creates and records what came of each call: under the claim that made it, or not at all. */
export class CreateSender {
  private readonly parts: EffectParts;
  private readonly streams: StreamCommands;
  private readonly releases: Releases;
  private readonly views: FleetViews;
  private readonly metrics: EffectMetrics;
  private readonly rows: EachRow;
  private readonly acceptedAt = new Map<string, number>();
  private readonly throttledAt = new Map<string, number>();

  constructor(
    parts: EffectParts,
    tools: { releases: Releases; views: FleetViews; metrics: EffectMetrics; rows: EachRow },
  ) {
    this.parts = parts;
    this.streams = parts.streams;
    this.releases = tools.releases;
    this.views = tools.views;
    this.metrics = tools.metrics;
    this.rows = tools.rows;
  }

  /** Checks every claim once more just before sending; rows whose claim was lost are somebody else's. */
  async sendAll(creates: readonly HeldCreate[], settled: (row: EffectRow) => void): Promise<void> {
    const createOf = new Map(creates.map((create) => [create.row, create]));
    const confirmed = await this.rows.confirm([...createOf.keys()], settled);
    await this.rows.all(confirmed, settled, (row) => this.send(createOf.get(row) as HeldCreate));
  }

  private async send(create: HeldCreate): Promise<void> {
    const { attempt, frozen, row, state } = create;
    if (state.intent && attempt === 1 && row.attempts === 1) {
      const since = Date.parse(state.intent.acceptedAt);
      this.metrics.acceptedToSent.observe((this.parts.clock.now() - since) / 1000);
    }
    const outcome = withoutKey(await this.call(frozen));
    switch (outcome.kind) {
      case 'done':
        return this.done(create, outcome);
      case 'refused':
        return this.refused(create, outcome);
      case 'unknown':
        return this.unknown(create, outcome);
      case 'retry':
        return this.retry(create, outcome.reason, outcome.throttled ?? false);
    }
  }

  private async call(frozen: FrozenCreate): Promise<CreateAnswer> {
    const client = await this.parts.clients.for(frozen.accountId, frozen.region);
    try {
      return await client.create(frozen);
    } catch (error) {
      // Clients answer; one that throws has said nothing of what happened in the cloud.
      return { kind: 'unknown', reason: errorMessage(error) };
    }
  }

  private async done(create: HeldCreate, outcome: Extract<CreateOutcome, { kind: 'done' }>): Promise<void> {
    const { row, attempt, state } = create;
    const recorded = await this.record(create, outcome, { causationId: `eci:${outcome.requestId}` });
    if (!recorded) {
      // The call came back after its claim ended. Its answer is still evidence that the group exists: whoever settles the attempt takes it.
      await this.streams.execute(
        row.streamId,
        { type: 'RecordFound', attempt, containerGroupId: outcome.containerGroupId },
        { actor: ACTOR, causationId: `eci:${outcome.requestId}` },
      );
    }
    const { intent, attempt: chosen } = state;
    if (intent && chosen) await this.views.accepted(intent.need, chosen.specs, chosen.chargeType);
    await this.laneAccepted(row.lane);
  }

  private async refused(create: HeldCreate, outcome: Extract<CreateOutcome, { kind: 'refused' }>): Promise<void> {
    const { row, attempt, state } = create;
    // Want of stock or addresses is daily business; everything else is for somebody to put right.
    const daily = outcome.class === 'STOCK_OUT' || outcome.class === 'VSWITCH_IP_EXHAUSTED';
    this.parts.logger[daily ? 'info' : 'warn']('the cloud refused a create', {
      streamId: row.streamId,
      attempt,
      ...placeOf(state),
      class: outcome.class,
      code: outcome.code,
      reason: outcome.message,
    });
    await this.record(create, outcome, {
      // After an unknown call a refusal proves nothing: the repeats end, and a look-up settles the attempt.
      effects: ({ events, after }) =>
        events.length === 0 && attemptInDoubt(after) ? [lookUpNow(row, attempt, after)] : [],
    });
    await this.reportRefusal(state, outcome.class);
  }

  private async unknown(create: HeldCreate, outcome: Extract<CreateOutcome, { kind: 'unknown' }>): Promise<void> {
    const { row, attempt, state } = create;
    const afterMs = this.releases.pause(row.attempts, REPEAT_UNKNOWN);
    this.parts.logger.warn('the outcome of a create is unknown', {
      streamId: row.streamId,
      attempt,
      reason: outcome.reason,
    });
    if (state.attempt?.outcome === 'unknown') {
      await this.releases.release(row, { afterMs, notSent: false });
      return;
    }
    await this.record(create, outcome, {
      effects: ({ after }) => {
        if (!attemptInDoubt(after) || after.attempt?.number !== attempt) return [];
        // After a stop no create is sent again.
        if (after.stop) return [lookUpNow(row, attempt, after)];
        return [againLater(row, afterMs)];
      },
    });
  }

  /** The outcome, under the claim that made the call; false when that claim is somebody else's by now, and nothing was written. */
  private async record(
    { row, attempt, state }: HeldCreate,
    outcome: Exclude<CreateOutcome, { kind: 'retry' }>,
    options: Pick<ExecuteOptions, 'causationId' | 'effects'>,
  ): Promise<boolean> {
    const result = await this.streams.execute(
      row.streamId,
      { type: 'RecordCreate', attempt, outcome },
      { actor: ACTOR, known: state, claim: claimOf(row), ...options },
    );
    if (result.kind === 'done') return true;
    this.metrics.lostClaims.inc({ kind: 'Create' });
    return false;
  }

  private async retry({ row, state }: HeldCreate, reason: string, throttled: boolean): Promise<void> {
    if (throttled) {
      this.metrics.throttled.inc({ action: 'create' });
      this.throttledAt.set(row.lane, this.parts.clock.now());
      await this.parts.queue.laneThrottled(row.lane);
    } else {
      // An endpoint that cannot be reached, or a region that does not exist: it may last, so somebody should know.
      this.parts.logger.warn('a create did not reach the cloud; trying again', {
        streamId: row.streamId,
        ...placeOf(state),
        reason,
      });
    }
    const afterMs = this.releases.pause(row.attempts, throttled ? REPEAT_THROTTLED : REPEAT_NOT_SENT);
    await this.releases.release(row, { afterMs, notSent: true, refundToken: !throttled });
  }

  private async reportRefusal(state: ContainerGroupState, refusalClass: RefusalClass): Promise<void> {
    const { intent, attempt } = state;
    if (!intent || !attempt) return;
    if (refusalClass === 'STOCK_OUT') {
      for (const spec of attempt.specs)
        await this.views.refused(capacityGate(intent.need, { spec, chargeType: attempt.chargeType }));
    } else if (refusalClass === 'QUOTA' || refusalClass === 'AUTH') {
      await this.views.refused(accountGate(attempt.accountId, refusalClass));
    }
  }

  private async laneAccepted(lane: string): Promise<void> {
    const now = this.parts.clock.now();
    // A second in which some calls were throttled is no accepted second: the lane moves once a second, and must move down then.
    const moved = Math.max(this.acceptedAt.get(lane) ?? -Infinity, this.throttledAt.get(lane) ?? -Infinity);
    if (now - moved < ACCEPTED_EVERY_MS) return;
    this.acceptedAt.set(lane, now);
    await this.parts.queue.laneAccepted(lane);
  }
}

/** An account whose key cannot be read is refused like one whose key is wrong: it is said on the pod, and tried again as a refused account is. */
function withoutKey(outcome: CreateAnswer): CreateAnswer {
  return outcome.kind === 'retry' && outcome.noCredential
    ? { kind: 'refused', code: 'CredentialUnavailable', class: 'AUTH', message: outcome.reason }
    : outcome;
}

/** The same frozen request once more, later. */
export function againLater(row: EffectRow, afterMs: number): EffectChange {
  const { kind, key, lane, tenant, priority, data, sealed } = row;
  return { op: 'put', kind, key, lane, tenant, priority, afterMs, data, ...(sealed && { sealed }) };
}

/** Settles an attempt whose last call has ended: no call of it can go out any more. */
export function lookUpNow(
  row: Pick<EffectRow, 'tenant' | 'priority'>,
  attempt: number,
  state: ContainerGroupState,
): EffectChange {
  return {
    op: 'put',
    kind: 'LookUp',
    key: `${attempt}`,
    lane: laneOfEffect('LookUp', `${attempt}`, state),
    tenant: row.tenant,
    priority: row.priority,
    afterMs: 1_000,
    data: { callsEnded: true },
  };
}
