import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder, type TemporaryFolder } from '#libs/testing';
import { cloudEvent } from '../../publish/cloud-events.ts';
import { sealMessage } from '../seal-message.ts';
import { logOf, sealsOf } from '../../../spec/audit/sealed-log.ts';
import { PublishedCopy, type PublishedEvent } from './published-copy.ts';

let folder: TemporaryFolder;
beforeAll(() => void (folder = temporaryFolder('published')));
afterAll(() => folder?.remove());

const events = logOf(1_200, 40);
const seals = sealsOf(events, [500, 500, 200], undefined);
const textOf = ({ value }: ReturnType<typeof sealMessage>): string => Buffer.from(value ?? []).toString('utf8');
const lines = [
  ...events.map((e) => textOf(cloudEvent({ ...e.event, ...e }, 'test'))),
  'not JSON',
  '{"type":"somebody.else"}',
  ...[2, 0, 1, 0].map((i) => textOf(sealMessage(seals[i]!))),
];

async function fileOf(name: string, content: readonly string[]): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, content.join('\n'));
  return path;
}

describe('a file of what the feed told', () => {
  it('gives its seals by number, in any order and with repeats, and its events in batches', async () => {
    const told: PublishedEvent[] = [];
    const sizes: number[] = [];
    const copy = await PublishedCopy.fromFile(await fileOf('feed.jsonl', lines), (batch) => {
      told.push(...batch);
      sizes.push(batch.length);
      return Promise.resolve();
    });
    expect(copy).toMatchObject({ count: 3, first: 1, last: 3, forked: [], unsound: [], unreadable: 0 });
    for (const seal of seals) expect(await copy.get(seal.sequence)).toEqual(seal);
    expect(await copy.get(4)).toBeUndefined();
    expect(told.map(({ digest }) => digest)).toEqual(events.map(({ storedDigest }) => storedDigest));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
    await copy.close();
  });

  it('says which numbers were told twice, which seals are not whole, and how many cannot be read', async () => {
    const other = sealsOf(events, [100], undefined)[0]!;
    const path = await fileOf('odd.jsonl', [
      textOf(sealMessage(seals[0]!)),
      textOf(sealMessage(other)),
      textOf(sealMessage({ ...seals[1]!, events: 7 })),
      JSON.stringify({ type: 'eci-fleet.audit.sealed.v1', data: { sequence: 'one' } }),
    ]);
    const copy = await PublishedCopy.fromFile(path, () => Promise.resolve());
    expect(copy).toMatchObject({ count: 1, forked: [1], unsound: [2], unreadable: 1 });
    await copy.close();
  });

  it('is written as messages come, and never over one that is there', async () => {
    const path = join(folder.path, 'kept.jsonl');
    const copy = await PublishedCopy.empty(path);
    expect(await copy.add(lines.slice(-5))).toEqual([]);
    expect(await copy.get(3)).toEqual(seals[2]);
    await copy.close();
    const again = await PublishedCopy.fromFile(path, () => Promise.resolve());
    expect(again.count).toBe(3);
    expect(await again.get(1)).toEqual(seals[0]);
    await again.close();
    await expect(PublishedCopy.empty(path)).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
