export interface RememberedToken {
  /** `account/region/token`. */
  readonly key: string;
  readonly digest: string;
  readonly containerGroupId: string;
  /** Simulated time of the first call. */
  readonly at: number;
}

/** What became of creates by their ClientToken. Only a create that was accepted is remembered; a refused one may be tried anew. */
export class ClientTokens {
  private readonly remembered = new Map<string, RememberedToken>();
  /** Calls on their way: their answers have not been given. */
  private readonly running = new Map<string, number>();

  /** `memoryMs`: what is older counts as unknown. */
  find(key: string, now: number, memoryMs: number): RememberedToken | undefined {
    const found = this.remembered.get(key);
    if (found && found.at + memoryMs <= now) {
      this.remembered.delete(key);
      return undefined;
    }
    return found;
  }

  remember(token: RememberedToken): void {
    this.remembered.set(token.key, token);
  }

  begin(key: string): void {
    this.running.set(key, (this.running.get(key) ?? 0) + 1);
  }

  end(key: string): void {
    const left = (this.running.get(key) ?? 1) - 1;
    if (left === 0) this.running.delete(key);
    else this.running.set(key, left);
  }

  isRunning(key: string): boolean {
    return this.running.has(key);
  }

  /** Drops what is too old; oldest first, so it stops early. */
  sweep(now: number, memoryMs: number): void {
    for (const [key, { at }] of this.remembered) {
      if (at + memoryMs > now) return;
      this.remembered.delete(key);
    }
  }

  all(): IterableIterator<RememberedToken> {
    return this.remembered.values();
  }
}
