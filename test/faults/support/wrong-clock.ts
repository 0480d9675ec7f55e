import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '#libs/testing';

const PRELOAD = join(import.meta.dirname, 'preload', 'clock.mjs');

/** A clock for some processes of the product that can be set wrong while they run. The database and the cloud keep the right time. */
export class WrongClock {
  readonly #flies: boolean;
  readonly #file = join(temporaryFolder('clock').path, 'offset');

  /** `flies`: time itself has passed for those processes, which no clock that was set can make them believe; it only grows. */
  constructor({ flies = false } = {}) {
    this.#flies = flies;
    this.set(0);
  }

  /** For the processes that shall have it. */
  get env(): Readonly<Record<string, string>> {
    return { ...preloaded, FAULT_CLOCK_FILE: this.#file, FAULT_CLOCK_FLIES: String(this.#flies) };
  }

  /** By how much it is ahead, milliseconds; negative: behind. */
  set(aheadMs: number): void {
    writeFileSync(this.#file, String(aheadMs));
  }
}

const preloaded = { NODE_OPTIONS: `--import ${PRELOAD}` };

/** For processes whose pauses of more than a minute shall last no longer than this. */
export const shortPauses = (longestMs: number): Readonly<Record<string, string>> => ({
  ...preloaded,
  FAULT_LONGEST_PAUSE_MS: String(longestMs),
});
