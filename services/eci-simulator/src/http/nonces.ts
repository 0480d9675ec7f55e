/** Nonces that were used, for as long as a timestamp is taken. */
export class Nonces {
  private readonly seen = new Map<string, number>();
  private readonly memoryMs: number;

  constructor(memoryMs = 30 * 60_000) {
    this.memoryMs = memoryMs;
  }

  /** False when it was used before. */
  use(nonce: string, now: number): boolean {
    for (const [old, at] of this.seen) {
      if (at + this.memoryMs > now) break;
      this.seen.delete(old);
    }
    if (this.seen.has(nonce)) return false;
    this.seen.set(nonce, now);
    return true;
  }
}
