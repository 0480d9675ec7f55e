import {
  accountGate,
  choosePlacement,
  placementHistoryOf,
  EFFECT_ACTIONS,
  parseStreamId,
  wantsPlacement,
  type ContainerGroupCommand,
  type ContainerGroupState,
  type FleetView,
} from '#libs/domain';
import { CloudAccountUnusable, type EciClient, type FrozenCreate } from '#libs/eci';
import type { EffectChange, EffectRow } from '#libs/event-store';
import { mapPod } from '#libs/kubernetes';
import type { SealedIntent } from '../intake/run-pod.ts';
import { createPurpose, INTENT, type StreamKey } from '../keys/stream-vault.ts';
import { LOCAL_LANE, laneOfEffect } from '../streams/lanes.ts';
import { clientTokenOf } from './client-token.ts';
import type { EachRow } from './each-row.ts';
import { FleetViews } from './fleet-view.ts';
import { claimOf, EffectHandler, UNSENT_LEASE_MS, type Releases } from './held-effect.ts';
import { loadSealed, type SealedRow } from './loaded-row.ts';
import { ACTOR, type EffectParts } from './ports.ts';
import { RefreshPatience, type Patience } from './refresh-patience.ts';
import type { CreateSender, HeldCreate } from './send-create.ts';
import { tokenAge } from './token-life.ts';

type Sealed = NonNullable<SealedRow['sealed']>;

type Waiting = Exclude<Patience, { kind: 'place' }>;

/** What is to be done with one Place row, decided on one state. */
type Plan =
  | { readonly kind: 'settle'; readonly commands: readonly ContainerGroupCommand[] }
  | { readonly kind: 'wait'; readonly patience: Waiting }
  | {
      readonly kind: 'create';
      readonly command: Extract<ContainerGroupCommand, { type: 'ChoosePlacement' }>;
      readonly frozen: FrozenCreate;
      readonly sealed: Uint8Array;
    };

interface ClientOrTrouble {
  readonly client?: EciClient;
  readonly trouble?: CloudAccountUnusable;
}

/**
 * Place rows: with a token of the quota in hand, lets the policy choose with what the fleet knows now, freezes the request, and writes the choice
 * together with the Create row, claimed already; then sends. The row of a pod that wants no placement any more just ends.
 */
export class PlaceEffects extends EffectHandler {
  readonly kind = 'Place';
  readonly action = EFFECT_ACTIONS.Place;
  readonly concurrency = 100;
  readonly leaseMs = UNSENT_LEASE_MS;
  private readonly parts: EffectParts;
  private readonly releases: Releases;
  private readonly views: FleetViews;
  private readonly sender: CreateSender;
  private readonly rows: EachRow;
  private readonly patience = new RefreshPatience();

  constructor(
    parts: EffectParts,
    tools: { releases: Releases; views: FleetViews; sender: CreateSender; rows: EachRow },
  ) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
    this.views = tools.views;
    this.sender = tools.sender;
    this.rows = tools.rows;
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const loaded = await this.rows.load(rows, settled, (some) => loadSealed(this.parts.store, some));
    const view = await this.views.look(loaded.flatMap(({ state }) => (state.intent ? [state.intent.need] : [])));
    const placed: HeldCreate[] = [];
    await Promise.all(
      loaded.map(async ({ row, state, sealed }) => {
        const done = await this.rows.attempt(row, () => this.place(row, state, sealed, view), { notSent: true });
        if (!done?.result) return settled(row);
        this.rows.ended(row);
        placed.push(done.result);
      }),
    );
    const rowOf = new Map(rows.map((row) => [row.streamId, row]));
    await this.sender.sendAll(placed, (row) => settled(rowOf.get(row.streamId) ?? row));
  }

  private async place(
    row: EffectRow,
    first: ContainerGroupState,
    sealed: Sealed | undefined,
    view: FleetView,
  ): Promise<HeldCreate | undefined> {
    const { store, streams, ids } = this.parts;
    const claimId = ids.uuid();
    // What is chosen is chosen on one state: on another one it is chosen anew.
    let plan = undefined as Plan | undefined;
    const executed = await streams.execute(
      row.streamId,
      async (state) => {
        const intent = state === first ? sealed : (await store.readSealed([row.streamId])).get(row.streamId);
        plan = this.plan(row, state, intent, view, await this.clientFor(state));
        if (plan.kind === 'wait') return undefined;
        return plan.kind === 'create' ? [plan.command] : plan.commands;
      },
      {
        actor: ACTOR,
        known: first,
        claim: claimOf(row),
        effects: ({ events, after }) =>
          plan?.kind === 'create' && events.length > 0
            ? this.createRow(row, plan.command.choice.attempt, plan.sealed, claimId, after)
            : [],
      },
    );
    if (executed.kind === 'left' && plan?.kind === 'wait') await this.wait(row, executed.before, plan.patience);
    if (executed.kind !== 'done' || executed.events.length === 0 || plan?.kind !== 'create') return undefined;
    const { attempt } = plan.command.choice;
    return {
      row: { ...row, kind: 'Create', key: `${attempt}`, claimId, sealed: plan.sealed, attempts: 1, data: {} },
      attempt,
      frozen: plan.frozen,
      state: executed.after,
    };
  }

  /** The client with which a placement is made; `trouble`: the account cannot be used as it is configured. Neither when none is wanted. */
  private async clientFor(state: ContainerGroupState): Promise<ClientOrTrouble> {
    const need = state.intent?.need;
    if (!need || !wantsPlacement(state)) return {};
    try {
      return { client: await this.parts.clients.for(need.accountId, need.region) };
    } catch (error) {
      // Anything else is a moment's trouble, not the account's.
      if (error instanceof CloudAccountUnusable) return { trouble: error };
      throw error;
    }
  }

  private plan(
    row: EffectRow,
    state: ContainerGroupState,
    sealed: Sealed | undefined,
    view: FleetView,
    { client, trouble }: ClientOrTrouble,
  ): Plan {
    const { intent } = state;
    if (!intent || !wantsPlacement(state)) return { kind: 'settle', commands: [] };
    const { need } = intent;
    if (trouble?.code === 'region') {
      return { kind: 'settle', commands: [{ type: 'Reject', field: 'profile.region', reason: trouble.said }] };
    }
    if (!client) {
      // The account cannot be used as it is configured. It is said on the pod, and tried again as a refused account is.
      const gate = accountGate(need.accountId, 'AUTH');
      return {
        kind: 'settle',
        commands: [{ type: 'Park', gate, reason: 'AccountUnusable', message: trouble?.said ?? '' }],
      };
    }
    const shut = state.mayPassGate ? undefined : this.views.shutAccount(view, need.accountId);
    if (shut) {
      const message = `account ${need.accountId} is refused by the cloud (${shut.class}); one pod at a time tries`;
      return { kind: 'settle', commands: [{ type: 'Park', gate: shut, reason: 'GateShut', message }] };
    }
    const now = this.parts.clock.now();
    const patience = this.patience.decide({
      streamId: row.streamId,
      intent: `${intent.agentEpoch}/${intent.sequence}`,
      age: sealed ? tokenAge(intent.tokens, now) : 'missing',
      now,
    });
    if (patience.kind !== 'place' || !sealed) return { kind: 'wait', patience: patience as Waiting };

    const seed = Math.floor(this.parts.random.next() * 2 ** 32);
    const answer = choosePlacement({ need, history: placementHistoryOf(state), view, seed });
    if (answer.kind === 'park') {
      const { gate, reason, message } = answer;
      return { kind: 'settle', commands: [{ type: 'Park', gate, reason, message }] };
    }
    const key = this.parts.vault.unlock(row.streamId, sealed);
    const { pod, resolved, sealed: secrets } = key.open(sealed.sealed, INTENT) as SealedIntent;
    const mapped = mapPod({ accountId: need.accountId, pod, resolved, sealed: secrets });
    if (!mapped.ok) {
      return { kind: 'settle', commands: [{ type: 'Reject', field: mapped.field, reason: mapped.reason }] };
    }
    const { attempt, candidates, specs, chargeType, ordered, policyVersion, why } = answer;
    const clientToken = clientTokenOf(this.parts.fleet, row.streamId, attempt);
    const frozen = client.freeze(
      mapped.spec,
      {
        clientToken,
        vSwitchIds: candidates.map(({ vSwitchId }) => vSwitchId),
        ordered,
        specs,
        spot: chargeType === 'spot',
      },
      {
        fleet: this.parts.fleet,
        clusterId: intent.clusterId,
        podUid: intent.pod.uid,
        attempt,
        namespace: intent.pod.namespace,
        name: intent.pod.name,
      },
    );
    return {
      kind: 'create',
      command: {
        type: 'ChoosePlacement',
        choice: {
          attempt,
          clientToken,
          accountId: need.accountId,
          region: need.region,
          candidates,
          specs,
          chargeType,
          policyVersion,
          why,
          seed,
          requestDigest: keyedDigest(key, frozen),
        },
      },
      frozen,
      sealed: key.seal(frozen, createPurpose(attempt)),
    };
  }

  /** Asks the agent for the intent; its answer makes the placement due at once, else it looks again by itself. */
  private async wait(row: EffectRow, state: ContainerGroupState, patience: Waiting): Promise<void> {
    const refresh: EffectChange = {
      op: 'put',
      kind: 'Refresh',
      key: 'intent',
      lane: LOCAL_LANE,
      tenant: row.tenant,
      priority: row.priority,
      afterMs: 0,
      data: {},
    };
    await this.releases.release(row, { afterMs: patience.againMs, notSent: true, refundToken: true });
    if (patience.kind === 'wait') return;
    // A stream that moved meanwhile has its Place row due again, if it still wants one.
    await this.parts.streams.executeOnce(row.streamId, [], { actor: ACTOR, known: state, effects: () => [refresh] });
  }

  private createRow(
    row: EffectRow,
    attempt: number,
    sealed: Uint8Array,
    claimId: string,
    after: ContainerGroupState,
  ): readonly EffectChange[] {
    return [
      { op: 'remove', kind: 'Refresh', key: 'intent', unlessClaimed: false },
      {
        op: 'put',
        kind: 'Create',
        key: `${attempt}`,
        lane: laneOfEffect('Create', `${attempt}`, after),
        tenant: parseStreamId(row.streamId)?.clusterId ?? row.tenant,
        priority: row.priority,
        afterMs: 0,
        data: {},
        sealed,
        claim: { claimId, leaseMs: UNSENT_LEASE_MS },
      },
    ];
  }
}

/** The request holds secrets, so its plain hash must not lie in the log: a weak secret could be guessed from it. */
const keyedDigest = (key: StreamKey, frozen: FrozenCreate): string => key.digest('request', frozen.digest);
