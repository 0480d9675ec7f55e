// Loaded into a process of the product before its own code (`node --import`), to give it a clock that is wrong, as on a machine whose time service
// failed, or to let its long pauses pass soon. The product knows nothing of it.
//
// FAULT_CLOCK_FILE: a file with the milliseconds by which this process is ahead (negative: behind); read again and again, so that clocks can jump.
// FAULT_CLOCK_FLIES: `true`: that time has passed, also for what nobody can set (`performance.now`); it must only grow.
// FAULT_LONGEST_PAUSE_MS: timers of more than a minute last this long.
import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 50;
const A_MINUTE = 60_000;

const file = process.env.FAULT_CLOCK_FILE;
if (file) {
  const right = Date.now.bind(Date);
  let last = 0;
  let lookedAt = 0;
  const offset = () => {
    const at = right();
    if (Math.abs(at - lookedAt) >= LOOK_EVERY_MS) {
      lookedAt = at;
      last = Number(readFileSync(file, 'utf8'));
    }
    return last;
  };
  const now = () => right() + offset();
  if (process.env.FAULT_CLOCK_FLIES === 'true') {
    const sinceStart = performance.now.bind(performance);
    performance.now = () => sinceStart() + offset();
  }
  globalThis.Date = class extends Date {
    constructor(...args) {
      super(...(args.length === 0 ? [now()] : args));
    }

    static now() {
      return now();
    }
  };
}

const longest = Number(process.env.FAULT_LONGEST_PAUSE_MS ?? 0);
if (longest > 0) {
  const set = globalThis.setTimeout;
  globalThis.setTimeout = (callback, ms, ...args) => set(callback, ms > A_MINUTE ? longest : ms, ...args);
}
