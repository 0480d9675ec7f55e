import { describe, expect, it } from 'vitest';
import { containerGroupRow } from './container-group-row.ts';
import {
  accepted,
  created,
  gone,
  landed,
  placed,
  running,
  stopRequested,
  story,
  succeeded,
} from '../../spec/for-specs.ts';
import { shown } from './fold-streams.ts';

const LIVES = {
  requested: [accepted('c1', 'u1')],
  placed: [accepted('c1', 'u1'), placed()],
  running: [accepted('c1', 'u1'), placed(), created('eci-1'), landed('eci-1', 'z'), running('eci-1')],
  succeeded: [accepted('c1', 'u1'), placed(), created('eci-1'), running('eci-1'), succeeded('eci-1')],
  stopped: [accepted('c1', 'u1'), placed(), created('eci-1'), stopRequested, gone('eci-1')],
  rejected: [
    accepted('c1', 'u1'),
    { type: 'PodRejected', data: { field: 'spec.volumes[0]', reason: 'no host paths' } },
  ],
} as const;

describe('the parts of an intent that a rebuild does not read', () => {
  it.each(Object.entries(LIVES))('change nothing in the row of a pod that is %s', (_, said) => {
    const whole = story(said).map((event, i) => ({ ...event, streamId: 'container_group:c1:u1', version: i + 1 }));
    const read = whole.map((event) =>
      event.type === 'PodIntentAccepted' ? { ...event, data: shown(event.data) } : event,
    );
    expect(read[0]!.data).toMatchObject({ clearPod: {}, spec: {}, digests: {}, tokens: [] });
    expect(containerGroupRow(read)).toEqual(containerGroupRow(whole));
  });
});
