import type { Group } from './group.ts';
import { SequenceIndex } from './sequence-index.ts';

/** Every group that is still known, with the indexes that the lists read from: by creation, by change, by event, by tag. */
export class Registry {
  private readonly byId = new Map<string, Group>();
  private readonly byCreation = new SequenceIndex<Group>();
  private readonly byTag = new Map<string, SequenceIndex<Group>>();
  private readonly changes = new SequenceIndex<Group>();
  private readonly finals = new Map<string, Set<Group>>();
  private changeNumber = 0;

  get size(): number {
    return this.byId.size;
  }

  add(group: Group): void {
    this.byId.set(group.id, group);
    this.byCreation.add(group.sequence, group);
    for (const key of tagKeys(group)) {
      let index = this.byTag.get(key);
      if (!index) this.byTag.set(key, (index = new SequenceIndex()));
      index.add(group.sequence, group);
    }
  }

  remove(group: Group): void {
    this.byId.delete(group.id);
    this.byCreation.delete(group);
    this.changes.delete(group);
    this.finals.get(placeOf(group))?.delete(group);
    for (const key of tagKeys(group)) {
      const index = this.byTag.get(key);
      index?.delete(group);
      if (index?.size === 0) this.byTag.delete(key);
    }
  }

  get(id: string): Group | undefined {
    return this.byId.get(id);
  }

  all(): IterableIterator<Group> {
    return this.byId.values();
  }

  touched(group: Group): void {
    this.changes.add(++this.changeNumber, group);
  }

  /** Final groups of a region, the one that ended first in front. */
  finalsOf(group: Group): Set<Group> {
    const place = placeOf(group);
    let finals = this.finals.get(place);
    if (!finals) this.finals.set(place, (finals = new Set()));
    return finals;
  }

  /** In order of creation, those made after `after`; only groups with all these tags. */
  *created(
    after: number,
    tags: readonly { readonly Key: string; readonly Value: string }[],
  ): Generator<readonly [number, Group]> {
    let smallest: SequenceIndex<Group> | undefined;
    for (const { Key, Value } of tags) {
      const index = this.byTag.get(`${Key}\u0000${Value}`);
      if (!index) return;
      if (!smallest || index.size < smallest.size) smallest = index;
    }
    yield* (smallest ?? this.byCreation).after(after);
  }

  /** In order of their last change, those that changed after number `after` and not before `since` (clock of the callers). */
  changedSince(since: number, after: number): (readonly [number, Group])[] {
    const found: (readonly [number, Group])[] = [];
    for (const entry of this.changes.newest()) {
      if (entry[0] <= after || entry[1].observedAt < since) break;
      found.push(entry);
    }
    return found.reverse();
  }
}

export function hasTags(group: Group, tags: readonly { readonly Key: string; readonly Value: string }[]): boolean {
  return tags.every(({ Key, Value }) => group.definition.tags.some((tag) => tag.Key === Key && tag.Value === Value));
}

function tagKeys(group: Group): string[] {
  return group.definition.tags.map(({ Key, Value }) => `${Key}\u0000${Value}`);
}

function placeOf(group: Group): string {
  return `${group.account}/${group.definition.region}`;
}
