import type { AccountSettings } from './settings.ts';
import { WireError } from './wire-error.ts';

const DAY = 86_400_000;

interface Daily {
  /** `account/region`. */
  readonly key: string;
  readonly day: number;
  readonly cpu: number;
}

/** vCPU in open groups, and vCPU created today, per account and region. Days are those of UTC in simulated time. */
export class Quotas {
  private readonly open = new Map<string, number>();
  private readonly created = new Map<string, Daily>();

  /** Throws the refusal when `cpu` more would not fit. */
  check(key: string, cpu: number, { maxCpu, dailyCpu }: AccountSettings, now: number): void {
    if (this.openCpu(key) + cpu > maxCpu) throw new WireError('QuotaExceeded', 403, 'vCPU quota exceeded.');
    if (dailyCpu !== null && this.createdToday(key, now) + cpu > dailyCpu)
      throw new WireError('Throttling.Vcpu.PerDay', 403, 'The vCPU that may be created per day is used up.');
  }

  openCpu(key: string): number {
    return this.open.get(key) ?? 0;
  }

  createdToday(key: string, now: number): number {
    const daily = this.created.get(key);
    return daily && daily.day === Math.floor(now / DAY) ? daily.cpu : 0;
  }

  hold(key: string, cpu: number): void {
    this.open.set(key, this.openCpu(key) + cpu);
  }

  release(key: string, cpu: number): void {
    // All sizes are multiples of a quarter: sums of them are exact.
    this.open.set(key, this.openCpu(key) - cpu);
  }

  addCreated(key: string, cpu: number, now: number): Daily {
    const daily = { key, day: Math.floor(now / DAY), cpu: this.createdToday(key, now) + cpu };
    this.created.set(key, daily);
    return daily;
  }

  restore({ key, day, cpu }: Daily): void {
    this.created.set(key, { key, day, cpu });
  }

  all(): Daily[] {
    return [...this.created.values()];
  }
}
