import type { TestProject } from 'vitest/node';
import './shared/for-specs.ts';
import { openDesk } from './shared/desk.ts';
import { RigsOfARun } from './shared/rigs.ts';

interface Run {
  readonly rigs: RigsOfARun;
  readonly desk: Promise<{ address: string; close(): Promise<void> }>;
  projects: number;
}

// Every project evaluates this file anew; what they share lives on the process.
const RUN = Symbol.for('eci-fleet.testing.run');
const slot = globalThis as { [RUN]?: Run };

/** Gives the project's spec files the address where rigs are had. Starts nothing: rigs start when a spec first asks. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const run = (slot[RUN] ??= newRun());
  run.projects++;
  project.provide('rigsDesk', (await run.desk).address);
  return async () => {
    run.projects--;
    if (run.projects > 0) return;
    delete slot[RUN];
    const failed = project.vitest.state.getCountOfFailedTests() > 0;
    const { names } = run.rigs;
    await run.rigs.stop({ keepLogs: failed });
    await (await run.desk).close();
    if (failed && names.length > 0) {
      project.vitest.logger.log(`Logs of ${names.join(', ')} are kept in ${logsPattern()}`);
    }
  };
}

function newRun(): Run {
  const rigs = new RigsOfARun();
  return { rigs, desk: openDesk(rigs), projects: 0 };
}

function logsPattern(): string {
  return `${process.env['TMPDIR'] ?? '/tmp'}/eci-fleet-*-logs-*`;
}
