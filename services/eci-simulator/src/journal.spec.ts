import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Journal } from './journal.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'journal-'));
});

afterEach(() => rm(dir, { recursive: true }));

const records = async (): Promise<number[]> => {
  const { journal, records } = await Journal.open<number>({ dir, all: () => [] });
  await journal.close();
  return records;
};

it('gives back what was appended, in order, and has it on the disk when append resolves', async () => {
  const { journal } = await Journal.open<number>({ dir, all: () => [] });
  await Promise.all([journal.append([1, 2]), journal.append([3]), journal.append([])]);
  expect(await readFile(join(dir, 'groups-0.jsonl'), 'utf8')).toBe('{"format":1}\n1\n2\n3\n');
  await journal.close();
  expect(await records()).toEqual([1, 2, 3]);
});

it('drops a last line that was cut, and goes on behind the whole ones', async () => {
  const first = await Journal.open<number>({ dir, all: () => [] });
  await first.journal.append([1]);
  await first.journal.close();
  await appendFile(join(dir, 'groups-0.jsonl'), '{"half":');
  const second = await Journal.open<number>({ dir, all: () => [] });
  await second.journal.append([2]);
  await second.journal.close();
  expect(await records()).toEqual([1, 2]);
});

it('rewrites itself with the present state when it has grown', async () => {
  let state = 0;
  const { journal } = await Journal.open<number>({ dir, all: () => [state], rewriteAtBytes: 200 });
  for (state = 1; state <= 200; state++) await journal.append([state]);
  await journal.close();
  expect(await readdir(dir)).toHaveLength(1);
  const kept = await records();
  expect(kept.at(-1)).toBe(200);
  expect(kept.length).toBeLessThan(100);
});

it('starts from the old file when a rewrite was cut short', async () => {
  const { journal } = await Journal.open<number>({ dir, all: () => [] });
  await journal.append([1]);
  await journal.close();
  await writeFile(join(dir, 'groups-1.jsonl.draft'), '{"format":1}\n7');
  expect(await records()).toEqual([1]);
});

it('refuses a file that is not its own', async () => {
  await writeFile(join(dir, 'groups-3.jsonl'), 'hello\n');
  await expect(records()).rejects.toThrow('is no journal of this simulator');
});
