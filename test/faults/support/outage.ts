import { readFileSync } from 'node:fs';
import { eventually, type TestProcess } from '#libs/testing';
import { expect } from 'vitest';
import type { FaultFleet } from './fleet.ts';
import { complaints, linesOf } from './logs.ts';

/** Longer than the minute after which a lasting trouble is said again, by the clock. */
const LASTS_MS = 75_000;

interface Outage {
  /** When it began, epoch milliseconds. */
  readonly since: number;
  /** Waits until it has lasted for more than a minute, and looks at what each process made of it. */
  endure(): Promise<void>;
}

/**
 * Begins an outage. While it lasts every process goes on living: as many lines as minutes and parts, not as tries; no growth of memory; the same
 * process afterwards.
 */
export function beginOutage(fleet: FaultFleet): Outage {
  const since = Date.now();
  const processes = fleet.processes.filter(({ running }) => running);
  const before = processes.map((process) => ({ process, pid: process.pid, resident: residentMiB(process.pid) }));
  return {
    since,
    async endure() {
      await eventually(() => Date.now() - since > LASTS_MS, {
        what: 'the outage has lasted for more than a minute',
        deadlineMs: LASTS_MS + 30_000,
        everyMs: 500,
      });
      for (const { process, pid, resident } of before) {
        expect(process.running && process.pid, `${process.name} is the same process`).toBe(pid);
        expectFewWords(process, since);
        expect(residentMiB(pid) - resident, `${process.name} grows, in MiB`).toBeLessThan(80);
      }
    },
  };
}

/** In a minute and a quarter each trouble is said twice at most: at once, and once more with its count. */
function expectFewWords(process: TestProcess, since: number): void {
  const counts = complaints(process, { since });
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  expect(total, `${process.name} complains: ${JSON.stringify([...counts])}`).toBeLessThanOrEqual(8);
  const all = linesOf(process, { since });
  expect(all.length, `lines of ${process.name}: ${[...new Set(all.map(({ msg }) => msg))].join(' | ')}`).toBeLessThan(
    40,
  );
}

function residentMiB(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) / 1024;
}
