import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { privateJwkFault, type CurveOfJwk } from './private-jwk.ts';
import { secretBytesFault, secretTextFault } from './secret-bytes.ts';

const counting = (step: number, from = 0): Buffer =>
  Buffer.from(Array.from({ length: 32 }, (_, i) => (from + i * step) & 255));
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

const WEAK: readonly (readonly [string, Buffer])[] = [
  ['all zeros', Buffer.alloc(32)],
  ['all ones', Buffer.alloc(32, 255)],
  ['a repeated byte', Buffer.alloc(32, 7)],
  ['a repeated pair', Buffer.alloc(32, 'ab')],
  ['sixteen random bytes twice', Buffer.alloc(32, randomBytes(16))],
  ['counting up', counting(1)],
  ['counting down', counting(-1, 200)],
  ['counting in sevens', counting(7, 3)],
  [
    'counting 16-bit numbers',
    Buffer.from(new Uint16Array(Array.from({ length: 16 }, (_, i) => 1_000 + 300 * i)).buffer),
  ],
  ['one, as a large number', Buffer.concat([Buffer.alloc(31), Buffer.of(1)])],
  ['a few random bytes, then zeros', Buffer.concat([randomBytes(20), Buffer.alloc(12)])],
  ['half of it zeros', Buffer.concat([Buffer.alloc(16), randomBytes(16)])],
  ['a placeholder', Buffer.from('changeme-changeme-please-change-')],
  ['a sentence', Buffer.from('The quick brown fox jumps over a')],
  ['a sentence of another alphabet', Buffer.from('съешь ещё этих мя!')],
  ['a short text, filled up', Buffer.from('correct horse battery\n'.padEnd(32, '\0'))],
  ['random hex text', Buffer.from(randomBytes(16).toString('hex'))],
  ['random base64 text', Buffer.from(randomBytes(24).toString('base64'))],
  ['a random UUID, cut', Buffer.from(crypto.randomUUID().slice(0, 32))],
  ['the hash of nothing', sha256('')],
  ['the hash of a word', sha256('changeme')],
  ['the hash of a word from a shell', sha256('password\n')],
];

describe('32 bytes', () => {
  it.each(WEAK)('that are %s are no secret', (_, bytes) => {
    expect(bytes).toHaveLength(32);
    expect(secretBytesFault(bytes)).toBeDefined();
    expect(secretTextFault(bytes.toString('base64'), bytes)).toBeDefined();
  });

  it('that are random are one, however they are written', () => {
    for (let i = 0; i < 2_000; i++) {
      const bytes = randomBytes(32);
      const text = bytes.toString(i % 2 === 0 ? 'base64' : 'base64url');
      expect([text, secretTextFault(text, bytes)]).toEqual([text, undefined]);
    }
  });

  it('that follow any simple rule are no secret', () => {
    const part = fc.uint8Array({ minLength: 1, maxLength: 16 });
    const byte = fc.integer({ min: 0, max: 255 });
    const printable = fc
      .string({ unit: 'grapheme-ascii', minLength: 32, maxLength: 32 })
      .map((text) => Buffer.from(text));
    const structured = fc.oneof(
      part.map((unit) => Buffer.alloc(32, unit)),
      fc.tuple(byte, byte).map(([step, from]) => counting(step, from)),
      fc
        .tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
        .map(([step, from]) => {
          const bytes = Buffer.alloc(32);
          for (let i = 0; i < 4; i++) bytes.writeBigUInt64BE(BigInt.asUintN(64, from + BigInt(i) * step), i * 8);
          return bytes;
        }),
      fc
        .uint8Array({ minLength: 0, maxLength: 24 })
        .map((head) => Buffer.concat([head, Buffer.alloc(32 - head.length)])),
      printable,
    );
    fc.assert(
      fc.property(structured, (bytes) => {
        expect(secretBytesFault(bytes)).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    'this-is-my-very-secret-master-key-for-fleet',
    'changeme-changeme-changeme-changeme-changem',
    'MASTERKEYMASTERKEYMASTERKEYMASTERKEYMASTERK',
    'my+fleet+master+key+of+the+year+2026+please',
    randomBytes(22).toString('hex').slice(0, 43),
    randomBytes(22).toString('hex').toUpperCase().slice(0, 43),
  ])('that were meant as text, not as base64, are no secret: %s', (text) => {
    const bytes = Buffer.from(text, 'base64');
    expect(bytes).toHaveLength(32);
    expect(secretTextFault(text, bytes)).toBeDefined();
    expect(secretTextFault(`${text}=`, bytes)).not.toContain(text);
  });
});

type Jwk = Record<string, unknown>;
const newJwk = (curve: CurveOfJwk): Jwk =>
  (curve === 'P-256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('ed25519')
  ).privateKey.export({ format: 'jwk' }) as Jwk;

describe.each(['P-256', 'Ed25519'] as const)('a private JWK of %s', (curve) => {
  it('is taken when it was made at random', () => {
    for (let i = 0; i < 200; i++) expect(privateJwkFault(newJwk(curve), curve)).toBeUndefined();
    expect(privateJwkFault({ ...newJwk(curve), kid: '2026', use: 'sig' }, curve)).toBeUndefined();
  });

  const cases: readonly (readonly [string, (key: Jwk) => unknown, RegExp])[] = [
    ['public', ({ d: _, ...rest }) => rest, /public key: give the private one/],
    ['not JSON', () => undefined, /^is not a private/],
    ['a list', (key) => [key], /^is not a private/],
    [
      'RSA',
      () => generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' }),
      /another kind/,
    ],
    [
      'secp256k1',
      () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export({ format: 'jwk' }),
      /another kind/,
    ],
    ['of the other curve', () => newJwk(curve === 'P-256' ? 'Ed25519' : 'P-256'), /another kind/],
    ['a shared secret', () => ({ kty: 'oct', k: randomBytes(32).toString('base64url') }), /another kind/],
    ['without its public half', ({ x: _, ...rest }) => rest, /look at x/],
    ['with a foreign public half', (key) => ({ ...newJwk(curve), d: key['d'] }), /not the public half/],
    ['too short', (key) => ({ ...key, d: 'c2hvcnQ' }), /32 bytes/],
    ...WEAK.map(
      ([name, bytes]) =>
        [`${name} for d`, (key: Jwk) => ({ ...key, d: bytes.toString('base64url') }), /can be guessed/] as const,
    ),
  ];

  it.each(cases)('is refused when it is %s, and not repeated', (_, make, fault) => {
    const key = newJwk(curve);
    const given = make(key) as Jwk | undefined;
    const said = privateJwkFault(given, curve);
    expect(said).toMatch(fault);
    for (const part of [key['d'], given?.['d'], given?.['k']].filter((p) => typeof p === 'string'))
      expect(said).not.toContain(part);
  });
});

it.each([
  [
    'P-256',
    'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
    'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  ],
  ['Ed25519', 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', undefined],
] as const)('the %s key that a standard prints is refused', (crv, d, x, y) => {
  const key = { kty: y === undefined ? 'OKP' : 'EC', crv, x, d, ...(y === undefined ? {} : { y }) };
  expect(privateJwkFault(key, crv)).toMatch(/published/);
});

it('no page, manifest or example of this repository holds a key that would be taken', async () => {
  const root = join(import.meta.dirname, '..', '..', '..');
  const files = ['README.md', 'CHANGELOG.md', 'docker-compose.yml'];
  for (const folder of ['docs', 'deploy'])
    for (const entry of await readdir(join(root, folder), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name).slice(root.length + 1));
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) {
    const content = await readFile(join(root, file), 'utf8');
    for (const [text] of content.matchAll(/(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}(?![A-Za-z0-9+/_-])=?/g))
      expect([file, secretTextFault(text, Buffer.from(text, 'base64'))]).not.toEqual([file, undefined]);
    expect(content, file).not.toMatch(/-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]{16}/);
  }
});
