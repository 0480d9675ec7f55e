type NudgeOrigin = 'here' | 'elsewhere';

/** A hint that there may be something new. It carries nothing, may be lost or repeated, and only saves waiting. */
export class Nudge {
  private readonly listeners = new Set<(origin: NudgeOrigin) => void>();

  /** Returns how to stop listening. Listeners must not throw. */
  on(listener: (origin: NudgeOrigin) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  nudge(origin: NudgeOrigin = 'here'): void {
    for (const listener of this.listeners) listener(origin);
  }
}
