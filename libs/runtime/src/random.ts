import { randomInt } from 'node:crypto';

/** A source of randomness: `next` is uniform in [0, 1). */
export abstract class Random {
  abstract next(): number;
}

const TWO_48 = 2 ** 48;

export class SystemRandom extends Random {
  next(): number {
    return randomInt(TWO_48 - 1) / TWO_48;
  }
}

/** Mulberry32: small, fast and the same on every machine for the same seed. Not for secrets. */
export class SeededRandom extends Random {
  private state: number;

  constructor(seed: number) {
    super();
    this.state = seed >>> 0;
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}
