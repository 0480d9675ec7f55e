import { gateKey, specFamilyOf, type ChargeType, type FleetView, type Gate, type PlacementNeed } from '#libs/domain';
import type { Clock } from '#libs/runtime';
import type { Gates } from './ports.ts';

type GateState = 'open' | 'slow' | 'shut';

/** How long one look at a gate is believed, milliseconds. */
const FRESH_MS = 200;

export const capacityGate = (need: PlacementNeed, spec: string, chargeType: ChargeType): Gate => ({
  kind: 'capacity',
  accountId: need.accountId,
  region: need.region,
  specFamily: specFamilyOf(spec),
  chargeType,
});

export const accountGate = (accountId: string, refusalClass: 'QUOTA' | 'AUTH'): Gate => ({
  kind: 'account',
  accountId,
  class: refusalClass,
});

const ACCOUNT_CLASSES = ['AUTH', 'QUOTA'] as const;

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
    const keys = new Set(needs.flatMap(keysOf));
    const stale = [...keys].filter((key) => now - (this.seen.get(key)?.at ?? -Infinity) > FRESH_MS);
    if (stale.length > 0) {
      const found = await this.gates.look(stale);
      for (const key of stale) this.seen.set(key, { at: now, state: found.get(key)?.state });
    }
    return { gate: (key) => this.seen.get(key)?.state ?? 'open' };
  }

  /** The account's gate that shuts every placement of it, if one is shut. */
  shutAccount(view: FleetView, accountId: string): Extract<Gate, { kind: 'account' }> | undefined {
    for (const refusalClass of ACCOUNT_CLASSES) {
      const gate = accountGate(accountId, refusalClass);
      if (view.gate(gateKey(gate)) === 'shut') return gate as Extract<Gate, { kind: 'account' }>;
    }
    return undefined;
  }

  /** A create was taken: news only for gates that exist. */
  async accepted(need: PlacementNeed, specs: readonly string[], chargeType: ChargeType): Promise<void> {
    const keys = [
      ...specs.map((spec) => gateKey(capacityGate(need, spec, chargeType))),
      ...ACCOUNT_CLASSES.map((refusalClass) => gateKey(accountGate(need.accountId, refusalClass))),
    ];
    for (const key of keys) if (this.seen.get(key)?.state !== undefined) await this.gates.report(key, 'accepted');
  }

  async refused(gate: Gate): Promise<void> {
    this.seen.delete(gateKey(gate));
    await this.gates.report(gateKey(gate), 'refused');
  }
}

function keysOf(need: PlacementNeed): string[] {
  const chargeTypes: ChargeType[] =
    need.chargeType === 'spot' && need.spotFallback ? ['spot', 'on-demand'] : [need.chargeType];
  return [
    ...chargeTypes.flatMap((chargeType) => need.specs.map((spec) => gateKey(capacityGate(need, spec, chargeType)))),
    ...ACCOUNT_CLASSES.map((refusalClass) => gateKey(accountGate(need.accountId, refusalClass))),
  ];
}
