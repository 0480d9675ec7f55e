import { attemptInDoubt, EFFECT_ACTIONS, type ContainerGroupState } from '#libs/domain';
import type { FrozenCreate } from '#libs/eci';
import type { EffectRow } from '#libs/event-store';
import { createPurpose, type WrappedKey } from '../keys/stream-vault.ts';
import type { EachRow } from './each-row.ts';
import { claimOf, EffectHandler, UNSENT_LEASE_MS } from './held-effect.ts';
import { loadSealed } from './loaded-row.ts';
import { ACTOR, type EffectParts } from './ports.ts';
import { againLater, lookUpNow, type CreateSender, type HeldCreate } from './send-create.ts';

/** How long ECI surely knows a client token; a call with an older one could make a second group. */
const TOKEN_LIVES_MS = 30 * 60_000;

/**
 * Create rows that are due once more: the call was not sent, its outcome is not known, or whoever held it died. The same token and the same bytes
 * go out again, unless the attempt is settled, the pod was stopped, or the token is too old.
 */
export class CreateEffects extends EffectHandler {
  readonly kind = 'Create';
  readonly action = EFFECT_ACTIONS.Create;
  readonly concurrency = 100;
  readonly leaseMs = UNSENT_LEASE_MS;
  private readonly parts: EffectParts;
  private readonly sender: CreateSender;
  private readonly rows: EachRow;

  constructor(parts: EffectParts, tools: { sender: CreateSender; rows: EachRow }) {
    super();
    this.parts = parts;
    this.sender = tools.sender;
    this.rows = tools.rows;
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const loaded = await this.rows.load(rows, settled, (some) => loadSealed(this.parts.store, some));
    const sends: HeldCreate[] = [];
    for (const { row, state, sealed } of loaded) {
      const done = await this.rows.attempt(row, () => this.prepare(row, state, sealed), { notSent: true });
      if (done?.result) sends.push(done.result);
      else settled(row);
    }
    const rowOf = new Map(rows.map((row) => [nameOf(row), row]));
    await this.sender.sendAll(sends, (row) => settled(rowOf.get(nameOf(row)) ?? row));
  }

  /** The create as it is to be sent, or undefined when the row has ended or was given up. */
  private async prepare(
    row: EffectRow,
    state: ContainerGroupState,
    wrapped: WrappedKey | undefined,
  ): Promise<HeldCreate | undefined> {
    const { streams } = this.parts;
    const attempt = Number(row.key);
    const end = { actor: ACTOR, claim: claimOf(row) };
    if (state.attempt?.number !== attempt || !attemptInDoubt(state)) {
      await streams.execute(row.streamId, [], end);
      return undefined;
    }
    const { mayHaveBeenSent } = row;
    if (state.stop && !mayHaveBeenSent) {
      await streams.execute(row.streamId, { type: 'RecordNeverSent', attempt }, end);
      return undefined;
    }
    // Both by the database's clock; the first is a little ahead, so that a token seems rather too old than too young.
    const age = Date.parse(row.claimedUntil) - Date.parse(row.putAt);
    if (mayHaveBeenSent && (state.stop || age > TOKEN_LIVES_MS || !wrapped || !row.sealed)) {
      // No further call. Those that went out ended before this claim could be made.
      await streams.execute(row.streamId, [], {
        ...end,
        effects: (_, before) => (attemptInDoubt(before) ? [lookUpNow(row, attempt, before)] : []),
      });
      return undefined;
    }
    if (!wrapped || !row.sealed)
      throw new Error(`${row.streamId}: the frozen request of attempt ${attempt} is not there`);
    const frozen = this.parts.vault
      .unlock(row.streamId, wrapped)
      .open(row.sealed, createPurpose(attempt)) as FrozenCreate;
    return mayHaveBeenSent && state.attempt.outcome === 'pending'
      ? this.admitUnknown(row, attempt, state, frozen)
      : { row, attempt, frozen, state };
  }

  /**
   * An earlier call may have gone out and nobody recorded what came of it: that is said first, so that a refusal of the repeat is not taken for
   * the truth.
   */
  private async admitUnknown(
    row: EffectRow,
    attempt: number,
    state: ContainerGroupState,
    frozen: FrozenCreate,
  ): Promise<HeldCreate | undefined> {
    const claimId = this.parts.ids.uuid();
    const reason = 'an earlier call may have been sent, and its outcome was not recorded';
    const once = await this.parts.streams.execute(
      row.streamId,
      { type: 'RecordCreate', attempt, outcome: { kind: 'unknown', reason } },
      {
        actor: ACTOR,
        known: state,
        claim: claimOf(row),
        effects: ({ after }) =>
          attemptInDoubt(after) && after.attempt?.number === attempt && !after.stop
            ? [{ ...againLater(row, 0), claim: { claimId, leaseMs: UNSENT_LEASE_MS } } as ReturnType<typeof againLater>]
            : [],
      },
    );
    if (once.kind !== 'done' || once.after.stop || !attemptInDoubt(once.after)) return undefined;
    return { row: { ...row, claimId }, attempt, frozen, state: once.after };
  }
}

/** Of two attempts of one pod each has its own. */
const nameOf = ({ streamId, key }: EffectRow): string => `${streamId} ${key}`;
