import type { Tap } from './running-loops.ts';

/** Calls of ports that change something; where a process can die with a difference. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  store: ['append'],
  queue: ['claim', 'confirmClaims', 'release'],
  cloud: ['create', 'delete'],
  guard: ['admit'],
  held: ['due'],
  orphans: ['note'],
};

class Killed extends Error {}

/**
 * Ends a process at its n-th step: `before` the call goes out, or `after` it took effect but before anybody heard of it. From then on nothing that
 * the dead process does reaches the world.
 */
export class Death {
  dead = false;
  steps = 0;
  readonly tap: Tap;

  /** `ports`: names of those whose steps count; all of {@link STEPS} by default. */
  constructor(at: number, when: 'before' | 'after', ports: readonly string[] = Object.keys(STEPS)) {
    this.tap = (port, name) =>
      new Proxy(port, {
        get: (target, property, receiver) => {
          const method = Reflect.get(target, property, receiver) as unknown;
          if (typeof method !== 'function') return method;
          return (...args: unknown[]) => {
            if (property === 'freeze') return (method as (...a: unknown[]) => unknown).apply(target, args);
            return this.call(() => (method as (...a: unknown[]) => unknown).apply(target, args), {
              counts: ports.includes(name) && (STEPS[name]?.includes(String(property)) ?? false),
              at,
              when,
            });
          };
        },
      });
  }

  private async call(
    run: () => unknown,
    { counts, at, when }: { counts: boolean; at: number; when: 'before' | 'after' },
  ): Promise<unknown> {
    if (this.dead) throw new Killed();
    const mine = counts ? ++this.steps : 0;
    if (mine === at && when === 'before') this.die();
    const result = await run();
    // An answer that comes after the death is heard by nobody.
    if (this.dead) throw new Killed();
    if (mine === at && when === 'after') this.die();
    return result;
  }

  private die(): never {
    this.dead = true;
    throw new Killed();
  }
}
