import { describe, expect, it } from 'vitest';
import { Inventory, MAX_ENVELOPE_BYTES } from '#libs/contracts';
import type { PodObject, Stored } from '#libs/kubernetes';
import { CHUNK, inventoryOf } from './inventory.ts';

const pods = (count: number): Stored<PodObject>[] =>
  Array.from({ length: count }, (_, i) => ({
    metadata: { name: `p${i}`, namespace: 'n', uid: `uid-${i}`, resourceVersion: String(i) },
    spec: {},
    status: { phase: 'Running' },
  }));
const view = { revision: () => undefined, waitingFor: () => undefined, onTopic: () => [] };

describe('the inventory', () => {
  it('says of every pod what is known', () => {
    const [pod] = pods(1);
    pod!.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';

    const [chunk] = inventoryOf('i', [pod!], {
      ...view,
      revision: () => 4,
      waitingFor: () => 'ConfigMap x',
    });

    expect(Inventory.parse(chunk).pods).toEqual([
      {
        uid: 'uid-0',
        resourceVersion: '0',
        phase: 'Running',
        revision: 4,
        deletionTimestamp: '2026-01-01T00:00:00Z',
        waitingFor: 'ConfigMap x',
      },
    ]);
  });

  it('names pods that are gone and have a status on the topic, up to a bound', () => {
    const gone = Array.from({ length: 1_500 }, (_, i) => `gone-${i}`);

    const chunks = inventoryOf('i', pods(CHUNK + 1), { ...view, onTopic: () => ['uid-0', ...gone, 'uid-1'] });

    expect(chunks.map((chunk) => Inventory.parse(chunk).leftovers)).toEqual([gone.slice(0, 1_000), undefined]);
  });

  it('of no pods is one empty chunk', () => {
    expect(inventoryOf('i', [], view)).toEqual([
      { kind: 'Inventory', inventoryId: 'i', chunk: 0, chunks: 1, pods: [] },
    ]);
  });

  it('holds every pod once, in chunks of at most 2,000', () => {
    const chunks = inventoryOf('i', pods(2 * CHUNK + 1), view);

    expect(chunks.map((c) => [c.chunk, c.chunks, c.pods.length])).toEqual([
      [0, 3, CHUNK],
      [1, 3, CHUNK],
      [2, 3, 1],
    ]);
    expect(new Set(chunks.flatMap((c) => c.pods.map((p) => p.uid))).size).toBe(2 * CHUNK + 1);
  });

  it('fits an envelope also when every pod waits for something with a long name', () => {
    const chunks = inventoryOf('i', pods(3_000), { ...view, waitingFor: () => 'x'.repeat(500) });

    for (const chunk of chunks)
      expect(Buffer.byteLength(JSON.stringify(JSON.stringify(chunk)))).toBeLessThan(MAX_ENVELOPE_BYTES);
  });
});
