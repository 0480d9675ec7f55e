import type { z } from 'zod';

/** One variable of the environment: all that reading it, `--help` and the page of the documentation say of it. */
export interface Variable {
  /** What it is for, as `--help` prints it. */
  readonly meaning: string;
  readonly unit?: string;
  /** What is read where it is not given, as a person would write it. */
  readonly default?: string;
  /** What holds where it is not given, in words: for help alone. */
  readonly otherwise?: string;
  /** What is said where it is not given; absent: it need not be. */
  readonly required?: string;
  /** Its value is or may hold a secret: no message repeats it. */
  readonly secret?: true;
  /** From its text, without the spaces around it, to its value; absent: the text itself. */
  readonly schema?: z.ZodType;
  /** Its text may stand in a file instead, which `NAME_FILE` names: what that variable means. */
  readonly orFile?: string;
  /**
   * It is the path of a file that must be readable at the start; a function says what is wrong with its text. The value stays the path: whoever uses the
   * file reads it anew when it changes.
   */
  readonly file?: true | ((text: string) => string | undefined);
}

/** By name. */
export type Variables = Readonly<Record<string, Variable>>;

/** What variables come to: `undefined` is one that is not given and has no default. */
export type Values<V extends Variables> = { readonly [N in keyof V]: Value<V[N]> };

type Value<V extends Variable> =
  | (V extends { readonly schema: infer S extends z.ZodType } ? z.output<S> : string)
  | (V extends { readonly default: string } | { readonly required: string } ? never : undefined);
