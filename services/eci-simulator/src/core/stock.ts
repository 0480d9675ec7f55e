import { familyOf, specOf, type Size } from './specs.ts';

/** At most `capacity` groups of a kind may hold capacity in a zone at the same time. `null` = without limit. */
export interface StockLimit {
  readonly zone: string;
  /** A spec (`2-4Gi`, `ecs.c6.large`), a family (`ecs.c6`), `spot` for every spot group, or `*` for all. */
  readonly spec: string;
  readonly capacity: number | null;
}

/** Counts what is held per zone and kind; a group must fit into every limit that names it. What is not limited is ample. */
export class Stock {
  private readonly limits = new Map<string, StockLimit>();
  private readonly held = new Map<string, number>();

  setLimits(limits: readonly StockLimit[]): void {
    for (const limit of limits) {
      if (limit.capacity === null) this.limits.delete(`${limit.zone}|${limit.spec}`);
      else this.limits.set(`${limit.zone}|${limit.spec}`, limit);
    }
  }

  clearLimits(): void {
    this.limits.clear();
  }

  free(zone: string, size: Size, spot: boolean): number {
    return Math.min(...kinds(size, spot).map((kind) => this.freeOf(zone, kind)));
  }

  freeOf(zone: string, kind: string): number {
    const capacity = this.limits.get(`${zone}|${kind}`)?.capacity ?? Infinity;
    return Math.max(0, capacity - (this.held.get(`${zone}|${kind}`) ?? 0));
  }

  take(zone: string, size: Size, spot: boolean): void {
    this.move(zone, size, spot, 1);
  }

  release(zone: string, size: Size, spot: boolean): void {
    this.move(zone, size, spot, -1);
  }

  view(): readonly { zone: string; spec: string; capacity: number | null; held: number; free: number | null }[] {
    const keys = new Set([...this.limits.keys(), ...this.held.keys()]);
    return [...keys].sort().map((key) => {
      const [zone = '', spec = ''] = key.split('|');
      const free = this.freeOf(zone, spec);
      return {
        zone,
        spec,
        capacity: this.limits.get(key)?.capacity ?? null,
        held: this.held.get(key) ?? 0,
        free: Number.isFinite(free) ? free : null,
      };
    });
  }

  private move(zone: string, size: Size, spot: boolean, by: 1 | -1): void {
    for (const kind of kinds(size, spot)) {
      const key = `${zone}|${kind}`;
      const held = (this.held.get(key) ?? 0) + by;
      if (held === 0) this.held.delete(key);
      else this.held.set(key, held);
    }
  }
}

function kinds(size: Size, spot: boolean): string[] {
  const family = familyOf(size);
  return ['*', specOf(size), ...(family ? [family] : []), ...(spot ? ['spot'] : [])];
}
