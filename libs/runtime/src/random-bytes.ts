import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8_192;
const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/**
 * So many random bytes for keys and nonces, as good as `randomBytes`, from a pool that is drawn a few kilobytes at a time: Node takes 7 µs for a
 * draw of its own, and an intent needs six. No byte is given twice, and what was given is erased here.
 */
export function drawRandomBytes(size: number): Buffer {
  if (size > POOL_BYTES) throw new RangeError(`at most ${POOL_BYTES} random bytes at once, not ${size}`);
  if (used + size > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const drawn = Buffer.from(pool.subarray(used, used + size));
  pool.fill(0, used, used + size);
  used += size;
  return drawn;
}
