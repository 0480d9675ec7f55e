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
    { shown: true, waitedMs: 0, proves: true },
    { shown: false, waitedMs: 59_999, proves: false },
    { shown: false, waitedMs: 60_000, proves: true },
  ])('beside another group, shown $shown, after $waitedMs ms: $proves', ({ proves, ...missed }) => {
    expect(provesGone({ ...missed, vouched: 'witness' })).toBe(proves);
  });

  it.each([
    { shown: true, waitedMs: 3_600_000, proves: false },
    { shown: true, deletedAgainMs: 0, waitedMs: 9_999, proves: false },
    { shown: true, deletedAgainMs: 0, waitedMs: 10_000, proves: true },
    { shown: true, deletedAgainMs: 5_000, waitedMs: 10_000, proves: false },
    { shown: false, deletedAgainMs: 0, waitedMs: 59_999, proves: false },
    { shown: false, deletedAgainMs: 60_000, waitedMs: 69_999, proves: false },
    { shown: false, deletedAgainMs: 60_000, waitedMs: 70_000, proves: true },
  ])(
    'where nothing else is to be seen, shown $shown, deleted again at $deletedAgainMs ms, after $waitedMs ms: $proves',
    ({ proves, ...missed }) => {
      expect(provesGone({ ...missed, vouched: 'nothing to see' })).toBe(proves);
    },
  );

  it.each([true, false])(
    'proves nothing, however long, where others should be seen and none is (shown %s)',
    (shown) => {
      expect(provesGone({ shown, vouched: 'nobody', deletedAgainMs: 0, waitedMs: 86_400_000 })).toBe(false);
    },
  );
});

describe('NotFound to a delete', () => {
  it('proves that a group is gone that the cloud knew, and of another only that it is not known yet', () => {
    expect(notFoundProvesGone(true, 0)).toBe(true);
    expect(notFoundProvesGone(false, 59_999)).toBe(false);
    expect(notFoundProvesGone(false, 60_000)).toBe(true);
  });
});
