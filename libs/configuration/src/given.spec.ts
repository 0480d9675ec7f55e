import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error.ts';
import { Given, type Environment } from './given.ts';
import { flag, list, port } from './schemas.ts';
import type { Variables } from './variable.ts';

const TABLE = {
  ADDRESS: { meaning: 'where', required: 'is missing' },
  PORT: { meaning: 'which port', default: '8080', schema: port },
  LOUD: { meaning: 'true or false', default: 'false', schema: flag },
  NAMES: { meaning: 'some', schema: list(z.array(z.string().regex(/^[a-z]+$/, 'each is a word'))) },
  TOKEN: { meaning: 'a token', secret: true, schema: z.string().min(8, 'is too short'), orFile: 'file with it' },
  CA_FILE: { meaning: 'a CA', file: (text) => (text.startsWith('CA') ? undefined : 'holds no CA') },
} as const satisfies Variables;

const FILES: Readonly<Record<string, string>> = { '/token': 'canary-of-a-file\n', '/ca': 'CA 1', '/odd': 'canary' };
const givenOf = (environment: Environment): Given =>
  new Given(environment, (path) => {
    const text = FILES[path];
    if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
    return text;
  });
const read = (environment: Environment) => {
  const given = givenOf({ ADDRESS: 'here', ...environment });
  return { values: given.of(TABLE), faults: given.faults };
};

describe('what is given', () => {
  it('is read by the table, with its defaults', () => {
    expect(read({ NAMES: 'a, b,,', LOUD: ' true ' })).toEqual({
      values: { ADDRESS: 'here', PORT: 8080, LOUD: true, NAMES: ['a', 'b'], TOKEN: undefined, CA_FILE: undefined },
      faults: [],
    });
  });

  it('is nothing where it is empty', () => {
    expect(read({ PORT: ' ', TOKEN: '', TOKEN_FILE: '' }).values).toMatchObject({ PORT: 8080, TOKEN: undefined });
  });

  it('may stand in a file, and not in two places', () => {
    expect(read({ TOKEN_FILE: '/token' }).values).toMatchObject({ TOKEN: 'canary-of-a-file' });
    expect(read({ TOKEN_FILE: '/token', TOKEN: 'canary-of-ours' }).faults).toEqual([
      'TOKEN: is set beside TOKEN_FILE: keep one of them',
    ]);
  });

  it('is a path that stays one, whose text is looked at', () => {
    const given = givenOf({ CA_FILE: '/ca' });
    expect(given.of({ CA_FILE: TABLE.CA_FILE })).toEqual({ CA_FILE: '/ca' });
    expect(given.textOf('CA_FILE')).toBe('CA 1');
    const odd = givenOf({ CA_FILE: '/odd' });
    odd.of({ CA_FILE: TABLE.CA_FILE });
    expect(odd.faults).toEqual(['CA_FILE: holds no CA']);
    expect(odd.textOf('CA_FILE')).toBeUndefined();
  });

  it('has every fault said at once, each once, whoever asks, with what was given', () => {
    const given = givenOf({ PORT: 'eighty', LOUD: 'yes', NAMES: 'a,1', CA_FILE: '/nowhere' });
    expect(given.of(TABLE)).toBeUndefined();
    expect(given.of({ PORT: TABLE.PORT })).toBeUndefined();
    expect(given.faults).toEqual([
      'ADDRESS: is missing',
      'PORT: must be a port, 0 to 65535, not "eighty" (which port)',
      'LOUD: must be true or false, not "yes" (true or false)',
      'NAMES: each is a word, not "a,1" (some)',
      'CA_FILE: cannot read /nowhere (ENOENT)',
    ]);
    expect(() => given.end({})).toThrow(ConfigurationError);
    expect(() => given.end({})).toThrow('the configuration has 5 faults:\n  - ADDRESS: is missing\n  - PORT');
  });

  it('is not repeated where it may be a secret', () => {
    for (const environment of [{ TOKEN: 'canary' }, { TOKEN_FILE: '/odd' }, { TOKEN_FILE: 'canary-as-a-path' }]) {
      const { faults } = read(environment);
      expect(faults).toHaveLength(1);
      expect(faults.join()).not.toContain('canary');
    }
  });

  it('is all or none of what belongs together', () => {
    const faultsOf = (environment: Environment): readonly string[] => {
      const given = givenOf(environment);
      given.together('CERT_FILE', 'KEY_FILE', 'TOKEN');
      return given.faults;
    };
    expect(faultsOf({})).toEqual([]);
    expect(faultsOf({ CERT_FILE: '/c', KEY_FILE: '/k', TOKEN_FILE: '/t' })).toEqual([]);
    expect(faultsOf({ CERT_FILE: '/c' })).toEqual(['KEY_FILE, TOKEN: are missing, while CERT_FILE is set']);
    expect(faultsOf({ CERT_FILE: '/c', TOKEN: 't' })).toEqual([
      'KEY_FILE: is missing, while CERT_FILE and TOKEN are set',
    ]);
  });
});
