import {
  accountGates,
  capacityGate,
  gateKey,
  gatesOf,
  type AccountGate,
  type ChargeType,
  type FleetView,
  type Gate,
  type PlacementNeed,
} from '#libs/domain';
import type { Clock } from '#libs/runtime';
import type { Gates } from './ports.ts';

type GateState = 'open' | 'slow' | 'shut';

/** How long one look at a gate is believed, milliseconds. */
const FRESH_MS = 200;

/** What the fleet knows now, as placement asks it. A moment of memory spares a storm of pods a storm of questions. */
export class FleetViews {
  private readonly gates: Gates;
  private readonly clock: Clock;
  private readonly seen = new Map<string, { readonly at: number; readonly state: GateState | undefined }>();

  constructor(gates: Gates, clock: Clock) {
    this.gates = gates;
    this.clock = clock;
  }

  async look(needs: readonly PlacementNeed[]): Promise<FleetView> {
    const now = this.clock.now();
    const keys = new Set(needs.flatMap((need) => gatesOf(need).map(gateKey)));
    const stale = [...keys].filter((key) => now - (this.seen.get(key)?.at ?? -Infinity) > FRESH_MS);
    if (stale.length > 0) {
      const found = await this.gates.look(stale);
      for (const key of stale) this.seen.set(key, { at: now, state: found.get(key)?.state });
    }
    return { gate: (key) => this.seen.get(key)?.state ?? 'open' };
  }

  /** The account's gate that shuts every placement of it, if one is shut. */
  shutAccount(view: FleetView, accountId: string): AccountGate | undefined {
    return accountGates(accountId).find((gate) => view.gate(gateKey(gate)) === 'shut');
  }

  /** A create was taken: news only for gates that exist. */
  async accepted(need: PlacementNeed, specs: readonly string[], chargeType: ChargeType): Promise<void> {
    const gates = [...specs.map((spec) => capacityGate(need, { spec, chargeType })), ...accountGates(need.accountId)];
    const keys = gates.map(gateKey);
    for (const key of keys) if (this.seen.get(key)?.state !== undefined) await this.gates.report(key, 'accepted');
  }

  async refused(gate: Gate): Promise<void> {
    this.seen.delete(gateKey(gate));
    await this.gates.report(gateKey(gate), 'refused');
  }
}
