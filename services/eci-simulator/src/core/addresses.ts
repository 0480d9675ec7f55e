/** The addresses of one vSwitch. The cloud keeps the first and the last three of a block for itself (VPC docs). */
export class Addresses {
  private readonly first: number;
  private readonly total: number;
  private readonly used = new Set<number>();
  private readonly returned: number[] = [];
  private fresh = 0;
  private limit: number | undefined;

  constructor(cidr: string) {
    const { base, bits } = parseCidr(cidr);
    this.first = base + 1;
    this.total = Math.max(0, 2 ** (32 - bits) - 4);
  }

  /** At most this many addresses in use at the same time; undefined = what the block holds. */
  setLimit(limit: number | undefined): void {
    this.limit = limit;
  }

  get capacity(): number {
    return Math.min(this.total, this.limit ?? this.total);
  }

  get inUse(): number {
    return this.used.size;
  }

  get free(): number {
    return Math.max(0, this.capacity - this.used.size);
  }

  take(): string | undefined {
    if (this.free === 0) return undefined;
    // Fresh addresses first, then the one returned longest ago: an address is not seen twice within moments.
    while (this.fresh < this.total) {
      const offset = this.fresh++;
      if (this.used.has(offset)) continue;
      this.used.add(offset);
      return format(this.first + offset);
    }
    for (let offset = this.returned.shift(); offset !== undefined; offset = this.returned.shift()) {
      if (this.used.has(offset)) continue;
      this.used.add(offset);
      return format(this.first + offset);
    }
    return undefined;
  }

  /** Marks an address as used, after a restart. */
  claim(address: string): void {
    this.used.add(parseAddress(address) - this.first);
  }

  release(address: string): void {
    const offset = parseAddress(address) - this.first;
    if (this.used.delete(offset)) this.returned.push(offset);
  }
}

export function parseCidr(cidr: string): { base: number; bits: number } {
  const match = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(cidr);
  const bits = Number(match?.[2]);
  if (!match || bits < 8 || bits > 29) throw new Error(`"${cidr}" is no IPv4 block between /8 and /29`);
  return { base: Math.floor(parseAddress(match[1]!) / 2 ** (32 - bits)) * 2 ** (32 - bits), bits };
}

function parseAddress(address: string): number {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    throw new Error(`"${address}" is no IPv4 address`);
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function format(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
