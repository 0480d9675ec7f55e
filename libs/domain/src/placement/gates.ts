import type { ChargeType, PlacementNeed } from './need.ts';

/** What a pod waits behind. `capacity`: no stock for a spec family; `account`: QUOTA or AUTH refusals of the whole account. */
export type Gate =
  | {
      readonly kind: 'capacity';
      readonly accountId: string;
      readonly region: string;
      readonly specFamily: string;
      readonly chargeType: ChargeType;
    }
  | { readonly kind: 'account'; readonly accountId: string; readonly class: 'QUOTA' | 'AUTH' };

/** What one attempt asks for. */
export interface Option {
  readonly spec: string;
  readonly chargeType: ChargeType;
}

/** What the attempts for a pod may ask for, in its order of preference. */
export function optionsOf(need: PlacementNeed): readonly Option[] {
  const chargeTypes: readonly ChargeType[] =
    need.chargeType === 'spot' && need.spotFallback ? ['spot', 'on-demand'] : [need.chargeType];
  return chargeTypes.flatMap((chargeType) => need.specs.map((spec) => ({ spec, chargeType })));
}

export function capacityGate({ accountId, region }: PlacementNeed, { spec, chargeType }: Option): Gate {
  return { kind: 'capacity', accountId, region, specFamily: specFamilyOf(spec), chargeType };
}

/** Of refusals of the whole account. */
export type AccountGate = Extract<Gate, { kind: 'account' }>;

/** Those that shut every placement of the account. */
export const accountGates = (accountId: string): readonly AccountGate[] => [
  accountGate(accountId, 'AUTH'),
  accountGate(accountId, 'QUOTA'),
];

export const accountGate = (accountId: string, refusal: AccountGate['class']): AccountGate => ({
  kind: 'account',
  accountId,
  class: refusal,
});

/** All gates that a placement of such a pod may ask about; whoever lets policies ask looks at these. */
export function gatesOf(need: PlacementNeed): readonly Gate[] {
  return [...optionsOf(need).map((option) => capacityGate(need, option)), ...accountGates(need.accountId)];
}

/** `ecs.c6.large` → `ecs.c6`; a size (`2-4Gi`) is its own family: each size has its own stock. */
export function specFamilyOf(spec: string): string {
  return /^ecs\./.test(spec) ? spec.split('.').slice(0, 2).join('.') : spec;
}

/** One text for one gate; the key of its row. */
export function gateKey(gate: Gate): string {
  return gate.kind === 'capacity'
    ? `capacity/${gate.accountId}/${gate.region}/${gate.specFamily}/${gate.chargeType}`
    : `account/${gate.accountId}/${gate.class}`;
}
