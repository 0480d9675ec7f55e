import type { Tap } from './running-loops.ts';

/** Which calls fail: those of this loop that name all of these, to any port but those that give work back. */
interface Poisoned {
  readonly loop: string;
  readonly mentions: readonly string[];
  /** Calls that fail before it works again; default: all. */
  readonly times?: number;
}

/** Called to put work away that failed; without it everything would wait for leases. */
const GIVES_BACK = new Set(['release']);

/** Lets every call of one loop that names one item fail, whatever the call is and whoever else is named in it. */
export class Poison {
  /** Calls that failed. */
  hits = 0;
  private poisoned: Poisoned | undefined;

  on(poisoned: Poisoned): void {
    this.hits = 0;
    this.poisoned = poisoned;
  }

  off(): void {
    this.poisoned = undefined;
  }

  readonly tap: Tap = (port, _, loop) =>
    new Proxy(port, {
      get: (target, property, receiver) => {
        const method = Reflect.get(target, property, receiver) as unknown;
        if (typeof method !== 'function') return method;
        return (...args: unknown[]): unknown => {
          const call = (): unknown => (method as (...a: unknown[]) => unknown).apply(target, args);
          if (loop === undefined || GIVES_BACK.has(String(property)) || !this.hit(loop, args)) return call();
          return Promise.reject(new Error(POISONED));
        };
      },
    });

  /** For what is no port: throws when it names the item. */
  check(loop: string, ...args: unknown[]): void {
    if (this.hit(loop, args)) throw new Error(POISONED);
  }

  private hit(loop: string, args: readonly unknown[]): boolean {
    const { poisoned } = this;
    if (poisoned?.loop !== loop || this.hits >= (poisoned.times ?? Infinity)) return false;
    const text = JSON.stringify(args, (_, value: unknown) => (value instanceof Uint8Array ? undefined : value));
    if (!poisoned.mentions.every((word) => text.includes(word))) return false;
    this.hits += 1;
    return true;
  }
}

export const POISONED = 'this one cannot be handled';
