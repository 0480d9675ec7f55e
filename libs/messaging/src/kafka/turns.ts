/** So many at once, the others in the order in which they came. */
export class Turns {
  private free: number;
  private readonly queue: (() => void)[] = [];
  private given = Promise.withResolvers<void>();
  private readonly all: number;

  constructor(all: number) {
    this.all = all;
    this.free = all;
  }

  /** Runs it when its turn has come. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.queue.shift();
      // Handed on, so that nobody who comes just now is before those who wait.
      if (next) next();
      else this.free += 1;
      this.given.resolve();
      this.given = Promise.withResolvers();
    }
  }

  /** Whether somebody who comes now would wait. */
  get taken(): boolean {
    return this.free === 0;
  }

  /** The next time that one is over. */
  over(): Promise<void> {
    return this.given.promise;
  }

  /** Nobody has one. */
  async idle(): Promise<void> {
    while (this.free < this.all) await this.over();
  }
}
