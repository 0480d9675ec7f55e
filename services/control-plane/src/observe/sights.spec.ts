import { describe, expect, it } from 'vitest';
import { merged } from './sights.ts';

describe('two kinds of answers about one group', () => {
  const container = { name: 'c', image: 'i', ready: true, restartCount: 0, state: { state: 'running' } } as const;

  it('keeps what only the status action says while both speak of the same status', () => {
    const byStatus = {
      containerGroupId: 'g',
      status: 'Running',
      containers: [{ ...container, imageId: 'sha256:1' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    } as const;
    expect(merged({ containerGroupId: 'g', status: 'Running', zone: 'z', containers: [container] }, byStatus)).toEqual({
      containerGroupId: 'g',
      status: 'Running',
      zone: 'z',
      containers: byStatus.containers,
      conditions: byStatus.conditions,
    });
  });

  it('believes the newer answer when they differ', () => {
    const details = { containerGroupId: 'g', status: 'Succeeded', containers: [container] } as const;
    expect(merged(details, { containerGroupId: 'g', status: 'Running' })).toBe(details);
  });
});
