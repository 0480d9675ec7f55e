import { randomUUID } from 'node:crypto';
import type { Random } from './random.ts';

/** Where new identifiers come from: RFC 4122 version 4 UUIDs. */
export abstract class Ids {
  abstract uuid(): string;
}

export class SystemIds extends Ids {
  uuid(): string {
    return randomUUID();
  }
}

/** The same ids for the same seed. */
export class SeededIds extends Ids {
  private readonly random: Random;

  constructor(random: Random) {
    super();
    this.random = random;
  }

  uuid(): string {
    const hex = (digits: number): string =>
      Array.from({ length: digits }, () => Math.floor(this.random.next() * 16).toString(16)).join('');
    const variant = (8 + Math.floor(this.random.next() * 4)).toString(16);
    return `${hex(8)}-${hex(4)}-4${hex(3)}-${variant}${hex(3)}-${hex(12)}`;
  }
}
