import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepared, rigKey, rigsFolder } from './cache.ts';
import { inMinutes, type Progress } from './progress.ts';

const silent: Progress = { say: () => undefined, during: (_what, work) => work() };

describe('rigsFolder', () => {
  it('prefers the own variable, then XDG, then the home folder', () => {
    expect(rigsFolder({ ECI_FLEET_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a/rigs');
    expect(rigsFolder({ ECI_FLEET_CACHE: '', XDG_CACHE_HOME: '/b' })).toBe('/b/eci-fleet/rigs');
    expect(rigsFolder({})).toMatch(/\/\.cache\/eci-fleet\/rigs$/);
  });
});

describe('rigKey', () => {
  const inputs = { 'go.sum': 'sums', 'main.go': 'package main' };

  it('names the rig and its version', () => {
    expect(rigKey('kubernetes', '1.37.2', inputs)).toMatch(/^kubernetes-1\.37\.2-[0-9a-f]{12}$/);
  });

  it('is the same for the same files in any order', () => {
    const turned = { 'main.go': 'package main', 'go.sum': 'sums' };

    expect(rigKey('kubernetes', '1', turned)).toBe(rigKey('kubernetes', '1', inputs));
  });

  it('changes with a file, with its name, and with where one ends and the next begins', () => {
    const keys = [
      inputs,
      { ...inputs, 'main.go': 'package main ' },
      { 'go.sum': 'sums', 'other.go': 'package main' },
      { 'go.sum': 'sum', 'main.go': 'spackage main' },
    ].map((files) => rigKey('kubernetes', '1', files));

    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('prepared', () => {
  let cache: string;
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), 'eci-fleet-cache-spec-'));
  });
  afterEach(() => rmSync(cache, { recursive: true }));

  const target = (): string => join(cache, 'kafka-1');
  const request = (build: (folder: string) => Promise<void>) => ({
    target: target(),
    name: 'kafka',
    progress: silent,
    build,
  });

  it('builds once for two that ask at the same time', async () => {
    let builds = 0;
    const build = async (folder: string): Promise<void> => {
      builds++;
      await new Promise((resolve) => setImmediate(resolve));
      writeFileSync(join(folder, 'jar'), 'contents');
    };

    const folders = await Promise.all([prepared(request(build)), prepared(request(build))]);

    expect(folders).toEqual([target(), target()]);
    expect(builds).toBe(1);
    expect(readFileSync(join(target(), 'jar'), 'utf8')).toBe('contents');
  });

  it('leaves nothing of a failed build, and lets the next one try', async () => {
    const failing = prepared(
      request(async (folder) => {
        writeFileSync(join(folder, 'half'), '');
        throw new Error('no network');
      }),
    );

    await expect(failing).rejects.toThrow('no network');
    expect(existsSync(target())).toBe(false);
    expect(readdirSync(cache).filter((name) => name.includes('building'))).toEqual([]);
    await expect(prepared(request(async () => undefined))).resolves.toBe(target());
  });

  it('removes what an interrupted build left behind', async () => {
    mkdirSync(`${target()}.building-1`);

    await prepared(request(async () => undefined));

    expect(existsSync(`${target()}.building-1`)).toBe(false);
  });

  it('takes what is there as it is', async () => {
    mkdirSync(target());
    const never = async (): Promise<void> => {
      throw new Error('built although it was there');
    };

    await expect(prepared(request(never))).resolves.toBe(target());
  });
});

describe('inMinutes', () => {
  it('reads like a clock', () => {
    expect([999, 59_400, 60_000, 75_400, 377_000].map(inMinutes)).toEqual(['1s', '59s', '1m 00s', '1m 15s', '6m 17s']);
  });
});
