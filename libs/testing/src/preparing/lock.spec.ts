import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from './lock.ts';

let folder: string;
let lock: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eci-fleet-lock-spec-'));
  lock = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true }));

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** The id of a process that has ended. */
const deadPid = (): number => spawnSync(process.execPath, ['--version']).pid;

describe('withLock', () => {
  it('lets one in at a time', async () => {
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await turn();
      inside--;
    };

    await Promise.all(Array.from({ length: 8 }, () => withLock(lock, work, { everyMs: 1 })));

    expect(most).toBe(1);
  });

  it('returns what the work returns and is free again after a failure', async () => {
    await expect(withLock(lock, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(withLock(lock, async () => 42)).resolves.toBe(42);
  });

  it('takes over from a process that died', async () => {
    writeFileSync(`${lock}.7`, JSON.stringify({ pid: deadPid(), host: hostname() }));

    await expect(withLock(lock, async () => 'mine')).resolves.toBe('mine');
    expect(readdirSync(folder)).toEqual(['lock.8']);
  });

  it('lets only one of many take over from a process that died', async () => {
    writeFileSync(`${lock}.7`, JSON.stringify({ pid: deadPid(), host: hostname() }));
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await turn();
      inside--;
    };

    await Promise.all(Array.from({ length: 8 }, () => withLock(lock, work, { everyMs: 1 })));

    expect(most).toBe(1);
  });

  it('waits for a living holder, and says so once', async () => {
    writeFileSync(`${lock}.1`, JSON.stringify({ pid: process.pid, host: hostname() }));
    const waits: number[] = [];

    const waiting = withLock(lock, async () => 'in', {
      everyMs: 1,
      onWait: ({ pid }) => {
        waits.push(pid);
        setImmediate(() => writeFileSync(`${lock}.1`, 'released'));
      },
    });

    await expect(waiting).resolves.toBe('in');
    expect(waits).toEqual([process.pid]);
  });

  it('believes a holder on another machine while its heartbeat is fresh, and no longer', async () => {
    const elsewhere = JSON.stringify({ pid: 1, host: 'another-machine' });
    writeFileSync(`${lock}.1`, elsewhere);
    let waited = 0;

    await withLock(lock, async () => undefined, {
      everyMs: 1,
      onWait: () => {
        waited++;
        utimesSync(`${lock}.1`, new Date(0), new Date(0));
      },
    });

    expect(waited).toBe(1);
  });
});
