/** Simulated time: runs with a speed relative to real time, stands still while stopped, and can jump ahead. It never goes back. */
export class SimulatedClock {
  private base: number;
  private realBase: number;
  private readonly real: () => number;
  private rate: number;
  private halted: boolean;

  /** `start`: simulated epoch milliseconds; `real`: milliseconds of a clock that never goes back. */
  constructor(start: number, real: () => number, { speed = 1, stopped = false } = {}) {
    this.base = start;
    this.real = real;
    this.realBase = real();
    this.rate = speed;
    this.halted = stopped;
  }

  now(): number {
    return this.halted ? this.base : this.base + (this.real() - this.realBase) * this.rate;
  }

  get speed(): number {
    return this.rate;
  }

  get stopped(): boolean {
    return this.halted;
  }

  set({ speed, stopped }: { readonly speed?: number | undefined; readonly stopped?: boolean | undefined }): void {
    this.settle();
    this.rate = speed ?? this.rate;
    this.halted = stopped ?? this.halted;
  }

  advance(ms: number): void {
    this.settle();
    this.base += ms;
  }

  /** Real milliseconds until `at`; undefined while stopped. */
  realMsUntil(at: number): number | undefined {
    return this.halted ? undefined : Math.max(0, (at - this.now()) / this.rate);
  }

  private settle(): void {
    this.base = this.now();
    this.realBase = this.real();
  }
}
