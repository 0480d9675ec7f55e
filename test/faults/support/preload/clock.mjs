// Loaded into a process of the product before its own code (`node --import`), to give it a clock that is wrong, as on a machine whose time service
// failed, or to let its long pauses pass soon. The product knows nothing of it.
//
// FAULT_CLOCK_FILE: a file with the milliseconds by which this process is ahead (negative: behind); read again and again, so that clocks can jump.
// FAULT_LONGEST_PAUSE_MS: timers of more than a minute last this long.
import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 50;
const A_MINUTE = 60_000;

const file = process.env.FAULT_CLOCK_FILE;
if (file) {
  const right = Date.now.bind(Date);
  let offset = 0;
  let lookedAt = 0;
  const now = () => {
    const at = right();
    if (Math.abs(at - lookedAt) >= LOOK_EVERY_MS) {
      lookedAt = at;
      offset = Number(readFileSync(file, 'utf8'));
    }
    return at + offset;
  };
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
