import { BEGINNING, compareCursors, type Cursor } from '#libs/event-store';
import type { Logger, Metrics } from '#libs/observability';
import type { LoopStep } from '#libs/runtime';
import { publicAuditKey, AuditKeyRing, type AuditSigner } from './audit-key.ts';
import { makeSeal, sealDigest, sealText, type Seal } from './seal.ts';
import type { SealArchive } from './seal-archive.ts';
import type { SealStore } from './seal-store.ts';

/** Events of one seal at most: its message on the feed stays below 200 KB. */
const MAX_EVENTS = 500;

const ADVICE = 'nothing is sealed until this is looked into: npm run fleet -- audit verify';

/** The newest seal is not what this process knows it to be. Sealing on would put our signature over a changed history. */
export class ChainChanged extends Error {
  override readonly name = 'ChainChanged';
}

/**
 * Chains the digests of events into seals, in the order in which every reader sees events. One process at a time: the checkpoint moves with the
 * seal and only for its owner, and a seal that does not follow the newest is refused by the store. A crash before the commit leaves
 * nothing, one after it leaves a seal that the next sealer goes on from.
 */
export class Sealer {
  private readonly parts;
  private readonly sealed;
  private readonly events;
  private readonly changed;
  /** The newest seal that we have seen to be sound. Memory of this process, which no superuser of PostgreSQL can change. */
  private known: Seal | undefined;
  private keyIsKnown = false;

  constructor(parts: {
    readonly store: SealStore;
    readonly fleet: string;
    /** Absent: seals are chained, and nobody signs them. */
    readonly signer: AuditSigner | undefined;
    /** Digest of the one seal that we may follow though it bears no signature of ours. */
    readonly acceptFrom?: string | undefined;
    /** What is kept outside of PostgreSQL: with it a start remembers what the one before it has seen. */
    readonly archive?: Pick<SealArchive, 'newest'> | undefined;
    /** New at every start. */
    readonly owner: string;
    readonly leaseMs: number;
    readonly logger: Logger;
    readonly metrics: Metrics;
    readonly maxEvents?: number;
  }) {
    this.parts = parts;
    this.sealed = parts.metrics.counter('eci_fleet_audit_seals_total', 'Seals made by this process', ['signed']);
    this.changed = parts.metrics.gauge(
      'eci_fleet_audit_chain_changed',
      '1 while nothing is sealed because the chain of seals is not what this process has seen',
    );
    this.events = parts.metrics.counter('eci_fleet_audit_sealed_events_total', 'Events sealed by this process');
  }

  /** Seals what has come since; `busy` when there may be more. */
  async step(): Promise<LoopStep> {
    try {
      const result = await this.round();
      this.changed.set(0);
      return result;
    } catch (error) {
      if (error instanceof ChainChanged) this.changed.set(1);
      throw error;
    }
  }

  private async round(): Promise<LoopStep> {
    const { store, owner, leaseMs, maxEvents = MAX_EVENTS, fleet, signer } = this.parts;
    const from = await store.lease(owner, leaseMs);
    if (!from) return 'idle';
    const unsealed = await store.unsealed(from, maxEvents);
    if (unsealed.entries.length === 0) return 'idle';
    const known = this.known ?? (await this.parts.archive?.newest());
    const previous = await this.checked(await store.newest(), from, known);
    await this.announceKey();
    const accepted = previous !== undefined && signer !== undefined && previous.keyId !== signer.keyId;
    const seal = makeSeal({ fleet, signer, previous, accepted, ...unsealed, sealedAt: unsealed.now });
    if (!(await store.append(owner, seal))) return 'idle';
    this.known = seal;
    this.sealed.inc({ signed: String(signer !== undefined) });
    this.events.inc(unsealed.entries.length);
    return unsealed.entries.length === maxEvents ? 'busy' : 'idle';
  }

  /** Lets the next sealer begin at once. */
  leave(): Promise<void> {
    return this.parts.store.leave(this.parts.owner);
  }

  /** @throws ChainChanged */
  private async checked(newest: Seal | undefined, from: Cursor, known: Seal | undefined): Promise<Seal | undefined> {
    const since = known && compareCursors(from, known.through);
    if (known && since !== undefined) {
      if (since < 0)
        throw new ChainChanged(`the sealer stands before seal ${known.sequence}, which we have seen: ${ADVICE}`);
      // Others may have sealed while we were paused or had lost the lease; what we have seen is there all the same.
      const still = since === 0 ? newest : await this.parts.store.seal(known.sequence);
      if (still?.digest !== known.digest || still.sequence !== known.sequence)
        throw new ChainChanged(`seal ${known.sequence} is not there any more as we have seen it: ${ADVICE}`);
    }
    if (compareCursors(newest?.through ?? BEGINNING, from) !== 0)
      throw new ChainChanged(
        `the newest seal (${newest?.sequence ?? 'there is none'}) does not end where the sealer stands: ${ADVICE}`,
      );
    // That it is kept says that it is unchanged, not that our key may follow it.
    if (newest) this.check(newest, newest.digest === this.known?.digest);
    this.known = newest;
    return newest;
  }

  private check(newest: Seal, isOurs: boolean): void {
    if (sealDigest(newest) !== newest.digest)
      throw new ChainChanged(`seal ${newest.sequence} does not hash to its digest: ${ADVICE}`);
    const { signer, acceptFrom } = this.parts;
    if (isOurs || !signer) return;
    if (newest.keyId !== signer.keyId) {
      // A signature vouches for all before it. Ours under a chain that anybody can have made would make a true history of whatever it says.
      if (newest.digest === acceptFrom) return;
      const by = newest.keyId === undefined ? 'bears no signature' : `is signed by key ${newest.keyId}, not by ours`;
      throw new ChainChanged(
        `seal ${newest.sequence} ${by}: ${ADVICE}; if it finds nothing, and the key is new or was away, start once with FLEET_AUDIT_ACCEPT_FROM=${newest.digest}`,
      );
    }
    const ring = new AuditKeyRing([publicAuditKey(signer.publicKey)]);
    if (newest.signature === undefined || ring.check(sealText(newest), newest.keyId, newest.signature) !== 'good')
      throw new ChainChanged(`seal ${newest.sequence} bears a signature of our key that is not ours: ${ADVICE}`);
  }

  private async announceKey(): Promise<void> {
    const { signer, store, logger } = this.parts;
    if (this.keyIsKnown) return;
    if (signer) await store.knowKey(signer.publicKey);
    else
      logger.warn(
        'seals are not signed: set FLEET_AUDIT_KEY or FLEET_AUDIT_KEY_FILE, so that a change by a superuser shows',
      );
    this.keyIsKnown = true;
  }
}
