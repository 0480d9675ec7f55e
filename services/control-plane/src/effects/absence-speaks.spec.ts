import { describe, expect, it } from 'vitest';
import { initialState, type ContainerGroupState, type KnownGroup } from '#libs/domain';
import { absenceSpeaks } from './absence-speaks.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const ID = 'eci-1';

function withGroup(secondsOld: number, seen: Partial<KnownGroup> = {}): ContainerGroupState {
  const since = new Date(NOW - secondsOld * 1_000).toISOString();
  const group = { containerGroupId: ID, attempt: 1, since, status: null, beyondScheduling: false, ...seen };
  return { ...initialState, group: group as unknown as KnownGroup };
}

describe('a read that does not return a deleted group', () => {
  it('says nothing of one that was just made and that no read has shown yet', () => {
    expect(absenceSpeaks(withGroup(15), ID, NOW, 600_000)).toBe(false);
  });

  it.each([
    ['was shown before', withGroup(15, { status: 'Pending' }), 0],
    ['has landed', withGroup(15, { landed: { zone: 'z', vSwitchId: 'v', spec: 's' } }), 0],
    ['is older than what reads lag behind, and was looked for as long', withGroup(60), 60_000],
  ])('speaks of one that %s', (_, state, waitedMs) => {
    expect(absenceSpeaks(state, ID, NOW, waitedMs)).toBe(true);
  });

  it('says nothing of one that is old by a clock alone, which may have been set', () => {
    expect(absenceSpeaks(withGroup(300), ID, NOW, 58_000)).toBe(false);
  });

  it('speaks of a twin, which a read has found', () => {
    expect(absenceSpeaks(withGroup(15), 'eci-twin', NOW, 0)).toBe(true);
  });
});
