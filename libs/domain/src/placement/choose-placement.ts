import { capacityGate, gateKey, optionsOf, type Gate, type Option } from './gates.ts';
import type { PlacementHistory } from './history.ts';
import type { ChargeType, PlacementNeed, RankedVSwitch } from './need.ts';

/** What the fleet knows at the moment of the choice. */
export interface FleetView {
  /** `shut`: whole lists failed lately; only a probe may try. */
  gate(key: string): 'open' | 'slow' | 'shut';
}

interface PlacementQuestion {
  readonly need: PlacementNeed;
  readonly history: PlacementHistory;
  readonly view: FleetView;
  /** Makes the choice repeatable; recorded with it. */
  readonly seed: number;
}

type PlacementAnswer =
  | {
      readonly kind: 'place';
      readonly attempt: number;
      readonly candidates: readonly RankedVSwitch[];
      /** ECI tries them in our order, inside one call. */
      readonly ordered: boolean;
      readonly specs: readonly string[];
      readonly chargeType: ChargeType;
      readonly why: readonly string[];
      readonly policyVersion: string;
    }
  | { readonly kind: 'park'; readonly gate: Gate; readonly reason: string; readonly message: string };

/** The interface that a learning policy fills as well. A pure function of the question. */
type PlacementPolicy = (question: PlacementQuestion) => PlacementAnswer;

const ORDERED_LIST_POLICY = 'ordered-list/1';

/**
 * Chooses where, and as what, the next attempt runs. The first policy: every allowed vSwitch in the profile's order in one request, so that ECI
 * itself falls through to the next zone. A spec whose whole list had no stock is followed by the next spec (then, with spot fallback, by on-demand);
 * when all have failed, or their gates are shut, the pod is parked. A list without free addresses is tried again without its first vSwitch.
 */
export const choosePlacement: PlacementPolicy = ({ need, history, view }) => {
  const why: string[] = [];
  let shut: Option | undefined;
  for (const option of optionsOf(need)) {
    const failures = history.failures.filter(
      (f) => f.specs.includes(option.spec) && f.chargeType === option.chargeType,
    );
    const stockOut = failures.find((f) => f.class === 'STOCK_OUT');
    if (stockOut) {
      why.push(`${option.spec} (${option.chargeType}) had no stock in attempt ${stockOut.attempt}: ${stockOut.reason}`);
      continue;
    }
    const withoutAddresses = failures.filter((f) => f.class === 'VSWITCH_IP_EXHAUSTED').length;
    const vSwitches = need.vSwitches.slice(withoutAddresses);
    if (vSwitches.length === 0) {
      why.push(`${option.spec} (${option.chargeType}): no vSwitch had free addresses`);
      continue;
    }
    if (withoutAddresses > 0)
      why.push(
        `without ${need.vSwitches
          .slice(0, withoutAddresses)
          .map((v) => v.vSwitchId)
          .join(', ')}: no free addresses`,
      );
    if (view.gate(gateKey(capacityGate(need, option))) === 'shut' && !history.mayPassGate) {
      why.push(`${option.spec} (${option.chargeType}): its gate is shut`);
      shut ??= option;
      continue;
    }
    return {
      kind: 'place',
      attempt: history.nextAttempt,
      candidates: vSwitches.map((vSwitch, index) => ({
        ...vSwitch,
        reason: `place ${index + 1} of ${vSwitches.length} in the profile's order`,
      })),
      ordered: need.scheduleStrategy !== 'VSwitchRandom',
      specs: [option.spec],
      chargeType: option.chargeType,
      why: [
        ...why,
        `${option.spec} (${option.chargeType}) on ${vSwitches.length} vSwitch${vSwitches.length === 1 ? '' : 'es'} in one request`,
      ],
      policyVersion: ORDERED_LIST_POLICY,
    };
  }
  const waitsFor = shut ?? (optionsOf(need).at(-1) as Option);
  return {
    kind: 'park',
    gate: capacityGate(need, waitsFor),
    reason: shut ? 'GateShut' : (history.failures.at(-1)?.class ?? 'STOCK_OUT'),
    message: why.join('; '),
  };
};
