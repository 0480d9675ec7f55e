import { readFileSync } from 'node:fs';
import { fileGiven, notGiven } from '#libs/runtime';
import { ConfigurationError } from './configuration-error.ts';
import type { Values, Variable, Variables } from './variable.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The text of a file; throws where there is none to read. */
export type ReadFile = (path: string) => string;

interface Read {
  readonly sound: boolean;
  readonly value?: unknown;
}

const FLAWED: Read = { sound: false };

/** What an environment gives, and the faults that were found in it so far. A variable is read once, whoever asks for it, and its fault said once. */
export class Given {
  readonly environment: Environment;
  /** Sentences that begin with the variable. */
  readonly faults: string[] = [];
  private readonly readFile: ReadFile;
  private readonly read = new Map<string, Read>();
  private readonly texts = new Map<string, string | undefined>();

  constructor(environment: Environment, readFile: ReadFile = (path) => readFileSync(path, 'utf8')) {
    this.environment = environment;
    this.readFile = readFile;
  }

  /** Values of variables; undefined: at least one of them has a fault, which was noted. */
  of<V extends Variables>(variables: V): Values<V> | undefined {
    const read = Object.entries(variables).map(([name, variable]) => [name, this.once(name, variable)] as const);
    if (read.some(([, { sound }]) => !sound)) return undefined;
    return Object.fromEntries(read.map(([name, { value }]) => [name, value])) as Values<V>;
  }

  /** Whether there is a value, or a file named that should hold it; it may have faults. */
  has(name: string): boolean {
    return this.text(name) !== undefined || this.text(`${name}_FILE`) !== undefined;
  }

  /** What stands in the file that a variable names, without the spaces around it; undefined: there is none, or it has a fault, which was noted. */
  textOf(name: string): string | undefined {
    if (!this.texts.has(name)) this.texts.set(name, this.readTextOf(name));
    return this.texts.get(name);
  }

  fault(name: string, what: string): void {
    this.faults.push(`${name}: ${what}`);
  }

  /** Of variables that mean something together only, all are given or none. */
  together(...names: readonly string[]): void {
    const given = names.filter((name) => this.has(name));
    const missing = names.filter((name) => !this.has(name));
    if (given.length === 0 || missing.length === 0) return;
    this.fault(
      missing.join(', '),
      `${missing.length === 1 ? 'is' : 'are'} missing, while ${given.join(' and ')} ${given.length === 1 ? 'is' : 'are'} set`,
    );
  }

  /** What was made of it; throws {@link ConfigurationError} with every fault, if there is any. */
  end<T>(settings: T | undefined): T {
    if (this.faults.length > 0 || settings === undefined) throw new ConfigurationError(this.faults);
    return settings;
  }

  /** An empty variable is one that is not set: compose files and manifests write them so. */
  private text(name: string): string | undefined {
    return this.environment[name]?.trim() || undefined;
  }

  private once(name: string, variable: Variable): Read {
    const before = this.read.get(name);
    if (before) return before;
    const read = this.readVariable(name, variable);
    this.read.set(name, read);
    return read;
  }

  private readVariable(name: string, variable: Variable): Read {
    const path = variable.orFile === undefined ? undefined : this.text(`${name}_FILE`);
    const fromFile = path === undefined ? undefined : this.textOf(`${name}_FILE`);
    const own = this.text(name);
    if (own !== undefined && path !== undefined) {
      this.fault(name, `is set beside ${name}_FILE: keep one of them`);
      return FLAWED;
    }
    if (path !== undefined && fromFile === undefined) return FLAWED;
    const given = own ?? fromFile;
    const text = given ?? variable.default;
    if (text === undefined) {
      if (variable.required === undefined) return { sound: true };
      this.fault(name, variable.required);
      return FLAWED;
    }
    if (variable.file) this.lookAtFile(name, variable.file);
    if (!variable.schema) return { sound: true, value: text };
    const parsed = variable.schema.safeParse(text);
    if (parsed.success) return { sound: true, value: parsed.data };
    const instead = variable.secret || given === undefined ? '' : notGiven(given);
    for (const { message } of parsed.error.issues) this.fault(name, `${message}${instead} (${variable.meaning})`);
    return FLAWED;
  }

  private lookAtFile(name: string, faultOf: NonNullable<Variable['file']>): void {
    const text = this.textOf(name);
    const fault = text === undefined || faultOf === true ? undefined : faultOf(text);
    if (fault === undefined) return;
    this.fault(name, fault);
    this.texts.set(name, undefined);
  }

  private readTextOf(name: string): string | undefined {
    const path = this.text(name);
    if (path === undefined) return undefined;
    try {
      return this.readFile(path).trim();
    } catch (error) {
      this.fault(name, `cannot read ${fileGiven(path)}(${(error as NodeJS.ErrnoException).code ?? 'error'})`);
      return undefined;
    }
  }
}
