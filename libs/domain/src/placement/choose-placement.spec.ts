import { describe, expect, it } from 'vitest';
import { fold } from '../container-group/evolve.ts';
import type { NewContainerGroupEvent } from '../container-group/events.ts';
import { placementHistoryOf } from '../container-group/questions.ts';
import { accepted, need, placement } from '../../spec/samples.ts';
import { choosePlacement, type FleetView } from './choose-placement.ts';
import { gateKey, gatesOf, specFamilyOf } from './gates.ts';
import type { RefusalClass } from './history.ts';
import type { PlacementNeed } from './need.ts';

const allOpen: FleetView = { gate: () => 'open' };

function after(n: PlacementNeed, ...failures: { spec: string; class: RefusalClass }[]) {
  const events: NewContainerGroupEvent[] = [accepted({ need: n })];
  failures.forEach((f, i) => {
    const candidates = n.vSwitches.map((v) => ({ ...v, reason: '' }));
    events.push({
      type: 'PlacementChosen',
      data: placement(i + 1, { specs: [f.spec], candidates, chargeType: n.chargeType }),
    });
    events.push({ type: 'CreateRefused', data: { attempt: i + 1, code: 'Code', class: f.class, message: '' } });
  });
  return fold(events.map((e) => ({ ...e, at: '2026-01-01T00:00:00.000Z' })));
}

const ask = (n: PlacementNeed, view = allOpen, ...failures: { spec: string; class: RefusalClass }[]) =>
  choosePlacement({ need: n, history: placementHistoryOf(after(n, ...failures)), view, seed: 1 });

describe('the ordered list policy', () => {
  const two = need({ specs: ['2-4Gi', '4-8Gi'] });

  it('sends all vSwitches in the given order with the first spec', () => {
    expect(ask(two)).toMatchObject({
      kind: 'place',
      attempt: 1,
      specs: ['2-4Gi'],
      ordered: true,
      candidates: [{ vSwitchId: 'vsw-1' }, { vSwitchId: 'vsw-2' }],
    });
  });

  it('takes the next spec after a stock-out, and parks behind the last one', () => {
    expect(ask(two, allOpen, { spec: '2-4Gi', class: 'STOCK_OUT' })).toMatchObject({
      kind: 'place',
      attempt: 2,
      specs: ['4-8Gi'],
    });
    expect(
      ask(two, allOpen, { spec: '2-4Gi', class: 'STOCK_OUT' }, { spec: '4-8Gi', class: 'STOCK_OUT' }),
    ).toMatchObject({
      kind: 'park',
      gate: { kind: 'capacity', specFamily: '4-8Gi' },
      reason: 'STOCK_OUT',
    });
  });

  it('leaves out vSwitches one by one when addresses are out', () => {
    const failure = { spec: '2-4Gi', class: 'VSWITCH_IP_EXHAUSTED' as const };
    expect(ask(need(), allOpen, failure)).toMatchObject({ kind: 'place', candidates: [{ vSwitchId: 'vsw-2' }] });
    expect(ask(need(), allOpen, failure, failure)).toMatchObject({ kind: 'park', reason: 'VSWITCH_IP_EXHAUSTED' });
  });

  it('falls back from spot to on-demand only where that was asked for', () => {
    const spot = need({ chargeType: 'spot', spotFallback: true });
    expect(ask(spot, allOpen, { spec: '2-4Gi', class: 'STOCK_OUT' })).toMatchObject({
      kind: 'place',
      chargeType: 'on-demand',
    });
    expect(ask({ ...spot, spotFallback: false }, allOpen, { spec: '2-4Gi', class: 'STOCK_OUT' })).toMatchObject({
      kind: 'park',
    });
  });

  it('passes over a spec whose gate is shut, and parks when all are', () => {
    const view: FleetView = { gate: (key) => (key.includes('/2-4Gi/') ? 'shut' : 'open') };
    expect(ask(two, view)).toMatchObject({ kind: 'place', specs: ['4-8Gi'] });
    expect(ask(need(), view)).toMatchObject({ kind: 'park', reason: 'GateShut' });
  });

  it('is a pure function of the question', () => {
    expect(ask(two)).toEqual(ask(two));
  });
});

it('names gates and spec families', () => {
  expect([specFamilyOf('ecs.c6.large'), specFamilyOf('2-4Gi')]).toEqual(['ecs.c6', '2-4Gi']);
  expect(gateKey({ kind: 'account', accountId: 'a', class: 'QUOTA' })).toBe('account/a/QUOTA');
});

it('asks about no gate that is not among those of the need', () => {
  const asked = new Set<string>();
  const view: FleetView = {
    gate: (key) => {
      asked.add(key);
      return 'shut';
    },
  };
  const n = need({ specs: ['ecs.c6.large', '2-4Gi'], chargeType: 'spot', spotFallback: true });
  expect(ask(n, view).kind).toBe('park');
  expect(asked.size).toBe(4);
  const known = gatesOf(n).map(gateKey);
  for (const key of asked) expect(known).toContain(key);
});
