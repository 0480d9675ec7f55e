import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder, type TemporaryFolder } from '#libs/testing';
import { ArchiveDiffers } from './seal-archive.ts';
import { SealFolder } from './seal-folder.ts';
import type { FullSeal } from './seal.ts';
import { FolderCopy } from './verify/folder-copy.ts';
import { logOf, sealsOf } from '../../spec/audit/sealed-log.ts';

const events = logOf(20);
const seals = sealsOf(events, [5, 5, 5, 5], undefined);
const [one, two, three] = seals as [FullSeal, FullSeal, FullSeal];
/** Another history: the same numbers, other events. */
const forged = sealsOf(logOf(21).slice(1), [5, 5, 5, 5], undefined);

let folder: TemporaryFolder;
let archive: SealFolder;

beforeEach(() => {
  folder = temporaryFolder('seals');
  archive = new SealFolder(folder.path);
});
afterEach(() => folder.remove());

const pathOf = (sequence: number): string =>
  join(folder.path, '000000000', `${String(sequence).padStart(12, '0')}.json`);

describe('a folder of seals', () => {
  it('keeps each seal as a file of its own, in sub-folders of a thousand, and knows the newest', async () => {
    expect(await archive.newest()).toBeUndefined();
    for (const seal of [one, two, { ...three, sequence: 3 }]) await archive.keep(seal);
    const far = { ...three, sequence: 12_345 };
    await archive.keep(far).catch(() => undefined);
    expect(await readdir(folder.path)).toEqual(['000000000', '000000012']);
    expect(await readdir(dirname(pathOf(1)))).toEqual(['000000000001.json', '000000000002.json', '000000000003.json']);
    expect(JSON.parse(await readFile(pathOf(2), 'utf8'))).toMatchObject({
      type: 'eci-fleet.audit.sealed.v1',
      sequence: '2',
      data: { digest: two.digest },
    });
    expect(await new SealFolder(folder.path).read(2)).toEqual(two);
  });

  it('changes nothing when the same is kept again, also by two at once', async () => {
    await Promise.all([archive.keep(one), new SealFolder(folder.path).keep(one), archive.keep(one)]);
    const before = await readFile(pathOf(1), 'utf8');
    await archive.keep(one);
    expect(await readFile(pathOf(1), 'utf8')).toBe(before);
    expect(await archive.newest()).toEqual(one);
    // Written by another version, in another order of its members.
    const { data, ...rest } = JSON.parse(before) as Record<string, unknown>;
    const other = `${JSON.stringify({ data, ...rest })}\n`;
    await writeFile(pathOf(1), other);
    await archive.keep(one);
    expect(await readFile(pathOf(1), 'utf8')).toBe(other);
  });

  it('completes a file that a crash tore, wherever it tore it', async () => {
    await archive.keep(one);
    await archive.keep(two);
    const whole = await readFile(pathOf(2));
    for (const length of [0, 1, 17, Math.floor(whole.length / 2), whole.length - 2, whole.length - 1]) {
      await truncate(pathOf(2), length);
      // It counts for nothing until then …
      expect((await archive.newest())?.sequence).toBe(1);
      expect(await FolderCopy.open(folder.path)).toMatchObject({ last: 1, unsound: [] });
      await archive.keep(two);
      expect(await readFile(pathOf(2))).toEqual(whole);
    }
    // … and only the newest can have been torn.
    await truncate(pathOf(1), 10);
    expect(await FolderCopy.open(folder.path)).toMatchObject({ last: 2, unsound: [1] });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['another seal', () => archive.keep(forged[0]!)],
    ['something else', () => mkdir(dirname(pathOf(1))).then(() => writeFile(pathOf(1), '{"hello": 1}\n'))],
    ['a torn other seal', () => archive.keep(forged[0]!).then(() => truncate(pathOf(1), 400))],
  ])('writes over nothing: %s stays under its number, and that is an alarm', async (_, put) => {
    await put();
    const before = await readFile(pathOf(1));
    await expect(archive.keep(one)).rejects.toThrow(ArchiveDiffers);
    expect(await readFile(pathOf(1))).toEqual(before);
  });

  it('is no copy of what does not agree with itself or its number', async () => {
    for (const seal of seals) await archive.keep(seal);
    await writeFile(pathOf(2), await readFile(pathOf(3)));
    await writeFile(
      pathOf(4),
      (await readFile(pathOf(4), 'utf8')).replaceAll(seals[3]!.sealedAt, '2020-01-01T00:00:00.000Z'),
    );
    const copy = await FolderCopy.open(folder.path);
    expect(copy).toMatchObject({ first: 1, last: 3, count: 2, unsound: [2, 4] });
    expect([await copy.get(1), await copy.get(2), await copy.get(9)]).toEqual([one, undefined, undefined]);
    await expect(archive.newest()).rejects.toThrow('holds no seal 4');
  });

  it('makes no folder where none is mounted', async () => {
    const away = new SealFolder(join(folder.path, 'away'));
    await expect(away.keep(one)).rejects.toThrow('ENOENT');
    await expect(away.newest()).rejects.toThrow('ENOENT');
    expect(await readdir(folder.path)).toEqual([]);
  });
});
