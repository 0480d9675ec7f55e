import { invalid, missing } from './wire-error.ts';

interface Node {
  value?: string;
  children?: Map<string, Node>;
}

/**
 * The parameters of one request as a tree. On the wire they are flat: `Container.1.Port.2.Protocol`; lists count from 1 without a gap.
 * Readers throw a WireError that names the full parameter.
 */
export class Parameters {
  private readonly node: Node;
  private readonly path: string;

  private constructor(node: Node, path: string) {
    this.node = node;
    this.path = path;
  }

  static from(flat: Iterable<readonly [string, string]>): Parameters {
    const root: Node = {};
    for (const [key, value] of flat) {
      let node = root;
      for (const part of key.split('.')) {
        node.children ??= new Map();
        let next = node.children.get(part);
        if (!next) node.children.set(part, (next = {}));
        node = next;
      }
      node.value = value;
    }
    return new Parameters(root, '');
  }

  nameOf(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }

  has(name: string): boolean {
    return this.node.children?.has(name) ?? false;
  }

  text(name: string, limits: { min?: number; max?: number; oneOf?: readonly string[] } = {}): string | undefined {
    const value = this.node.children?.get(name)?.value;
    if (value === undefined) return undefined;
    const { min = 0, max = Infinity, oneOf } = limits;
    if (value.length < min) throw invalid(`${this.nameOf(name)} must have at least ${min} characters.`);
    if (value.length > max)
      throw invalid(`${this.nameOf(name)} must have at most ${max} characters.`, 'InvalidParameter.LengthExceeded');
    if (oneOf && !oneOf.includes(value)) throw invalid(`${this.nameOf(name)} must be one of ${oneOf.join(', ')}.`);
    return value;
  }

  requiredText(name: string, limits: { min?: number; max?: number; oneOf?: readonly string[] } = {}): string {
    const value = this.text(name, limits);
    if (value === undefined || value === '') throw missing(this.nameOf(name));
    return value;
  }

  number(name: string, { min = -Infinity, max = Infinity } = {}): number | undefined {
    const text = this.text(name);
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    if (!/^-?\d/.test(text) || !Number.isFinite(value)) throw invalid(`${this.nameOf(name)} must be a number.`);
    if (value < min || value > max)
      throw invalid(`${this.nameOf(name)} must be between ${min} and ${max}.`, 'InvalidParameter.ValueExceeded');
    return value;
  }

  integer(name: string, limits: { min?: number; max?: number } = {}): number | undefined {
    const value = this.number(name, limits);
    if (value !== undefined && !Number.isInteger(value)) throw invalid(`${this.nameOf(name)} must be an integer.`);
    return value;
  }

  flag(name: string): boolean | undefined {
    const value = this.text(name, { oneOf: ['true', 'false', 'True', 'False', ''] });
    return value === undefined || value === '' ? undefined : value.toLowerCase() === 'true';
  }

  child(name: string): Parameters | undefined {
    const node = this.node.children?.get(name);
    return node?.children ? new Parameters(node, this.nameOf(name)) : undefined;
  }

  /** The members of a list in order. A gap, an index 0 or a word where an index belongs is a fault of the caller. */
  list(name: string, { max = Infinity }: { max?: number } = {}): Parameters[] {
    const node = this.node.children?.get(name);
    if (!node) return [];
    if (!node.children)
      throw invalid(`${this.nameOf(name)} is a list: its members are ${this.nameOf(name)}.1, .2, ...`);
    const size = node.children.size;
    const members: Parameters[] = [];
    for (let index = 1; index <= size; index++) {
      const member = node.children.get(String(index));
      if (!member) {
        const keys = [...node.children.keys()].slice(0, 5).join(', ');
        throw invalid(`${this.nameOf(name)} must be numbered from 1 without a gap; found ${keys}.`);
      }
      members.push(new Parameters(member, `${this.nameOf(name)}.${index}`));
    }
    if (size > max)
      throw invalid(
        `${this.nameOf(name)} holds ${size} members, at most ${max} are allowed.`,
        'InvalidParameter.LengthExceeded',
      );
    return members;
  }

  texts(name: string, { max = Infinity, each = Infinity }: { max?: number; each?: number } = {}): string[] {
    return this.list(name, { max }).map((member) => {
      const value = member.node.value;
      if (value === undefined) throw invalid(`${member.path} must be a plain value.`);
      if (value.length > each)
        throw invalid(`${member.path} must have at most ${each} characters.`, 'InvalidParameter.LengthExceeded');
      return value;
    });
  }
}
