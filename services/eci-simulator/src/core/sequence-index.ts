/**
 * Members in the order of a growing number, with cheap reading from any number on. A member that is added again moves to the end;
 * what it left behind is skipped, and swept when half of the entries are dead.
 */
export class SequenceIndex<T> {
  private keys: number[] = [];
  private members: T[] = [];
  private readonly current = new Map<T, number>();

  get size(): number {
    return this.current.size;
  }

  /** `key` must be larger than every key before. */
  add(key: number, member: T): void {
    this.current.set(member, key);
    this.keys.push(key);
    this.members.push(member);
    this.sweep();
  }

  delete(member: T): void {
    this.current.delete(member);
    this.sweep();
  }

  /** Members whose key is larger than `after`, in order. */
  *after(after: number): Generator<readonly [number, T]> {
    const { keys, members } = this;
    for (let index = this.firstAbove(after); index < keys.length; index++) {
      if (this.current.get(members[index]!) === keys[index]) yield [keys[index]!, members[index]!];
    }
  }

  /** Members from the newest to the oldest. */
  *newest(): Generator<readonly [number, T]> {
    const { keys, members } = this;
    for (let index = keys.length - 1; index >= 0; index--) {
      if (this.current.get(members[index]!) === keys[index]) yield [keys[index]!, members[index]!];
    }
  }

  private firstAbove(after: number): number {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.keys[middle]! > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private sweep(): void {
    if (this.keys.length < 64 || this.keys.length < 2 * this.current.size) return;
    const live = [...this.after(-Infinity)];
    this.keys = live.map(([key]) => key);
    this.members = live.map(([, member]) => member);
  }
}
