import type { Given } from './given.ts';
import type { Values, Variables } from './variable.ts';

/** The variables of one slice, and what they come to. */
export interface Section<S extends object = object, V extends Variables = Variables> {
  readonly variables: V;
  /** Its part of the configuration; undefined: there are faults, which were noted. */
  read(given: Given): S | undefined;
}

/** What sections come to, joined. */
export type Settings<T extends readonly Section[]> = Together<SettingsOf<T[number]>>;

type SettingsOf<E> = E extends Section<infer S> ? S : never;
type Together<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer A) => void ? A : never;

/**
 * A section: `rules` are looked at whatever single variables are like, `settings` are made where these are sound. Both note the faults they find; a section
 * may ask for variables of another.
 */
export function section<V extends Variables, S extends object>(parts: {
  readonly variables: V;
  readonly rules?: (given: Given) => void;
  readonly settings: (values: Values<V>, given: Given) => S | undefined;
}): Section<S, V> {
  const { variables, rules, settings } = parts;
  return {
    variables,
    read(given) {
      const values = given.of(variables);
      rules?.(given);
      return values && settings(values, given);
    },
  };
}

/** All variables of sections, in their order. */
export function variablesOf<const T extends readonly Section[]>(sections: T): Together<T[number]['variables']> {
  return Object.assign({}, ...sections.map(({ variables }) => variables)) as Together<T[number]['variables']>;
}

/** Reads all sections, and joins their settings; lists that several of them have become one. Throws `ConfigurationError` with every fault. */
export function readSections<const T extends readonly Section[]>(sections: T, given: Given): Settings<T> {
  const joined: Record<string, unknown> = {};
  for (const settings of sections.map((each) => each.read(given)))
    for (const [name, value] of Object.entries(settings ?? {})) {
      const before = joined[name];
      joined[name] = Array.isArray(before) && Array.isArray(value) ? [...(before as unknown[]), ...value] : value;
    }
  return given.end(joined as Settings<T>);
}
