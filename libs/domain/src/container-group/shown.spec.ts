import { describe, expect, it } from 'vitest';
import { isKnownToCloud, shouldBeShown, wasShown, willStay } from './shown.ts';
import { initialState, type ContainerGroupState, type KnownGroup } from './state.ts';

const ID = 'eci-1';
const TWIN = 'eci-twin';
const AT = '2026-01-01T00:00:00.000Z';

function withGroup(seen: Partial<KnownGroup>, twin: { deleteAcceptedAt?: string } = {}): ContainerGroupState {
  const group = { containerGroupId: ID, attempt: 1, status: null, beyondScheduling: false, open: true, ...seen };
  return { ...initialState, group, twins: { [TWIN]: twin } } as unknown as ContainerGroupState;
}

describe('a group was shown', () => {
  it.each([
    ['when a read returned it', withGroup({ status: 'Pending' }), ID, true],
    ['when it has landed', withGroup({ landed: { zone: 'z', vSwitchId: 'v', spec: 's' } }), ID, true],
    ['when it is a twin, which a read has found', withGroup({}), TWIN, true],
    ['not by the answer to its create', withGroup({}), ID, false],
  ])('%s', (_, state, id, shown) => {
    expect(wasShown(state, id)).toBe(shown);
  });

  it('or the cloud took a delete of it, and so knows it', () => {
    expect(isKnownToCloud(withGroup({}), ID)).toBe(false);
    expect(isKnownToCloud(withGroup({ status: 'Running' }), ID)).toBe(true);
    expect(isKnownToCloud(withGroup({ deleteAcceptedAt: AT }), ID)).toBe(true);
  });
});

describe('a group should be shown', () => {
  it.each([
    ['while it is open', withGroup({}), ID, true],
    ['not when it ended', withGroup({ open: false }), ID, false],
    ['not when its delete was accepted', withGroup({ deleteAcceptedAt: AT }), ID, false],
    ['not when it is of no stream', withGroup({}), 'eci-2', false],
    ['when it is a twin', withGroup({}), TWIN, true],
    ['not when it is a twin that we deleted', withGroup({}, { deleteAcceptedAt: AT }), TWIN, false],
  ])('%s', (_, state, id, should) => {
    expect(shouldBeShown(state, id)).toBe(should);
  });
});

it.each([
  ['Scheduling', true],
  ['Running', true],
  ['Terminating', false],
  ['Succeeded', false],
  ['ScheduleFailed', false],
] as const)('a group that is %s will stay: %s', (status, stays) => {
  expect(willStay(status)).toBe(stays);
});
