import { describe, expect, it } from 'vitest';
import { initialState, type ContainerGroupState, type KnownGroup } from '../container-group/state.ts';
import { notFoundProvesGone, provesGone, wasShown } from './absence.ts';

const ID = 'eci-1';

function withGroup(seen: Partial<KnownGroup>): ContainerGroupState {
  const group = { containerGroupId: ID, attempt: 1, status: null, beyondScheduling: false, ...seen };
  return { ...initialState, group: group as unknown as KnownGroup };
}

describe('a group was shown', () => {
  it.each([
    ['when a read returned it', withGroup({ status: 'Pending' }), ID, true],
    ['when it has landed', withGroup({ landed: { zone: 'z', vSwitchId: 'v', spec: 's' } }), ID, true],
    ['when it is a twin, which a read has found', withGroup({}), 'eci-twin', true],
    ['not by the answer to its create', withGroup({}), ID, false],
  ])('%s', (_, state, id, shown) => {
    expect(wasShown(state, id)).toBe(shown);
  });
});

describe('a read that does not return a deleted group', () => {
  it.each([
    { shown: true, witnessed: true, waitedMs: 0, proves: true },
    { shown: true, witnessed: false, waitedMs: 0, proves: false },
    { shown: true, witnessed: false, waitedMs: 9_999, proves: false },
    { shown: true, witnessed: false, waitedMs: 10_000, proves: true },
    { shown: false, witnessed: true, waitedMs: 59_999, proves: false },
    { shown: false, witnessed: false, waitedMs: 59_999, proves: false },
    { shown: false, witnessed: true, waitedMs: 60_000, proves: true },
  ])('shown $shown, witnessed $witnessed, after $waitedMs ms: $proves', ({ proves, ...missed }) => {
    expect(provesGone(missed)).toBe(proves);
  });
});

describe('NotFound to a delete', () => {
  it('proves that a group is gone that the cloud knew, and of another only that it is not known yet', () => {
    expect(notFoundProvesGone(true, 0)).toBe(true);
    expect(notFoundProvesGone(false, 59_999)).toBe(false);
    expect(notFoundProvesGone(false, 60_000)).toBe(true);
  });
});
