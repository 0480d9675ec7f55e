import { randomBytes } from 'node:crypto';
import { MAX_ENVELOPE_BYTES, unstorablePlace, type ClearPart, type SealedRunPod } from '#libs/contracts';
import fc from 'fast-check';
import { flattenedDecrypt } from 'jose';
import { describe, expect, it } from 'vitest';
import { deadLetter, EnvelopeTooLarge, MAX_MESSAGE_BYTES, openEnvelope, sealEnvelope } from './index.ts';
import { messageBytes } from './message-bytes.ts';

const key = { kid: 'k-2026-01-01', key: randomBytes(32) };
const keyOf = (kid: string): Uint8Array | undefined => (kid === key.kid ? key.key : undefined);
const sealed: SealedRunPod = {
  env: { 'containers/app/0': 'canary-secret-value' },
  annotations: {},
  configMaps: {},
  secrets: { s: { type: 'Opaque', data: { password: 'Y2FuYXJ5' } } },
  tokens: {},
  pullSecrets: [],
};
const runPod: ClearPart = {
  schemaVersion: 1,
  clusterId: 'c1',
  agentEpoch: 3,
  sequence: 9,
  sentAt: '2026-01-01T00:00:00.000Z',
  body: {
    kind: 'RunPod',
    pod: { uid: 'u1', namespace: 'ns', name: 'grüße', resourceVersion: '1', phase: 'Pending', metadata: {}, spec: {} },
    resolved: {
      profileRevision: 'p1',
      profile: { region: 'cn-hangzhou', vSwitchIds: ['vsw-1'], enableClusterIp: true },
      serviceEnv: {},
      tokens: [],
    },
  },
};
const stopPod: ClearPart = {
  ...runPod,
  body: { kind: 'StopPod', uid: 'u1', namespace: 'ns', name: 'p', reason: 'Deleted' },
};

type RunPod = Extract<ClearPart['body'], { kind: 'RunPod' }>;
type Raw = { clear: string; jwe: { protected: string; iv: string; ciphertext: string; tag: string } };
const seal = (clear: ClearPart = runPod, secret: unknown = sealed, messageKey = 'c1/u1') =>
  sealEnvelope({ clear, sealed: secret, messageKey, key });
const raw = (bytes: Uint8Array): Raw => JSON.parse(new TextDecoder().decode(bytes)) as Raw;
const pack = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const reasonOf = async (value: Uint8Array | null, messageKey = 'c1/u1', keys = keyOf): Promise<string> => {
  const opened = await openEnvelope(value, messageKey, keys);
  if (opened.ok) throw new Error('it opened');
  return opened.reason;
};

describe('envelope', () => {
  it('opens what was sealed', async () => {
    expect(await openEnvelope(await seal(), 'c1/u1', keyOf)).toEqual({
      ok: true,
      clear: runPod,
      sealed,
      storable: true,
    });
    expect(await openEnvelope(await seal(stopPod, {}), 'c1/u1', keyOf)).toEqual({
      ok: true,
      clear: stopPod,
      sealed: {},
      storable: true,
    });
  });

  it('says of texts that they can be kept only when all of them can', async () => {
    const odd = fc.constantFrom('\0', '\ud800', '\udfff', '\\u0000', '\u001b', '😀', 'é');
    const text = fc.array(fc.oneof(odd, fc.string({ maxLength: 3 })), { maxLength: 4 }).map((parts) => parts.join(''));
    let said = 0;
    await fc.assert(
      fc.asyncProperty(text, text, text, async (image, key, secret) => {
        // given
        const pod = { ...(runPod.body as RunPod).pod, spec: { image, [key]: [key] } };
        const clear: ClearPart = { ...runPod, body: { ...(runPod.body as RunPod), pod } };

        // when
        const opened = await openEnvelope(await seal(clear, { ...sealed, env: { a: secret } }), 'c1/u1', keyOf);

        // then
        if (!opened.ok) throw new Error(opened.reason);
        if (!opened.storable) return;
        said++;
        expect(unstorablePlace([opened.clear, opened.sealed])).toBeUndefined();
      }),
      { numRuns: 500 },
    );
    expect(said).toBeGreaterThan(20);
  });

  it('shows nothing of the sealed part, and sends the additional data only once', async () => {
    const text = new TextDecoder().decode(await seal());
    expect(text).not.toContain('canary');
    expect(text).not.toContain('password');
    expect(text.split('cn-hangzhou')).toHaveLength(2);
  });

  it('is a JWE that another library opens', async () => {
    const envelope = raw(await seal());
    const aad = Buffer.from(`c1/u1\n${envelope.clear}`).toString('base64url');
    const { plaintext, protectedHeader } = await flattenedDecrypt({ ...envelope.jwe, aad }, key.key);
    expect(JSON.parse(new TextDecoder().decode(plaintext))).toEqual(sealed);
    expect(protectedHeader).toEqual({ alg: 'dir', enc: 'A256GCM', kid: key.kid });
  });

  it('never uses a nonce twice', async () => {
    const nonces = await Promise.all(Array.from({ length: 200 }, async () => raw(await seal()).jwe.iv));
    expect(new Set(nonces).size).toBe(200);
  });

  it('refuses more than the limit, saying size and limit', async () => {
    const large = { ...sealed, env: { 'containers/app/0': 'x'.repeat(MAX_ENVELOPE_BYTES) } };
    const refusal = await seal(runPod, large).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(EnvelopeTooLarge);
    expect(refusal).toMatchObject({ limit: 921_600, size: expect.any(Number) as number });
    expect((refusal as Error).message).toMatch(/has \d+ bytes, over the limit of 921600/);
  });

  it('says why it cannot be opened', async () => {
    const good = raw(await seal());
    const flip = (text: string): string => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
    expect(await reasonOf(null)).toMatch(/no value/);
    expect(await reasonOf(new Uint8Array([0xff, 0x7b]))).toMatch(/not JSON in UTF-8/);
    expect(await reasonOf(pack({ clear: 1 }))).toMatch(/breaks its schema: clear: .*expected string/);
    expect(await reasonOf(new Uint8Array(MAX_ENVELOPE_BYTES + 1))).toMatch(/over the limit/);
    expect(await reasonOf(pack({ ...good, jwe: { ...good.jwe, protected: '!' } }))).toMatch(/header is not JSON/);
    const header = (fields: object): string => Buffer.from(JSON.stringify(fields)).toString('base64url');
    for (const [fields, reason] of [
      [{ alg: 'none', enc: 'A256GCM', kid: 'k' }, /must say alg "dir"/],
      [{ alg: 'dir', enc: 'A256GCM' }, /names no key/],
      [{ alg: 'dir', enc: 'A256GCM', kid: 'k', zip: 'DEF' }, /unknown field "zip"/],
      [{ alg: 'dir', enc: 'A256GCM', kid: 'gone' }, /no key "gone" of this cluster/],
    ] as const) {
      expect(await reasonOf(pack({ ...good, jwe: { ...good.jwe, protected: header(fields) } }))).toMatch(reason);
    }
    const sealBroken = /the seal does not fit/;
    expect(await reasonOf(pack(good), 'c1/u1', () => randomBytes(32))).toMatch(sealBroken);
    expect(await reasonOf(pack(good), 'c1/u1', () => randomBytes(5))).toMatch(sealBroken);
    expect(await reasonOf(pack(good), 'c1/u2')).toMatch(sealBroken);
    expect(await reasonOf(pack(good), 'c2/u1')).toMatch(sealBroken);
    expect(await reasonOf(pack({ ...good, clear: good.clear.replace('"sequence":9', '"sequence":8') }))).toMatch(
      sealBroken,
    );
    for (const part of ['iv', 'ciphertext', 'tag'] as const) {
      expect(await reasonOf(pack({ ...good, jwe: { ...good.jwe, [part]: flip(good.jwe[part]) } }))).toMatch(sealBroken);
      expect(await reasonOf(pack({ ...good, jwe: { ...good.jwe, [part]: '' } }))).toMatch(sealBroken);
    }
  });

  it('says whether the sender is proven: its seal fits, whatever is wrong inside', async () => {
    const good = raw(await seal());
    const provenOf = async (value: Uint8Array | null, messageKey = 'c1/u1') => {
      const opened = await openEnvelope(value, messageKey, keyOf);
      return opened.ok || opened.proven;
    };
    const unproven = [
      null,
      new Uint8Array([0xff, 0x7b]),
      new Uint8Array(MAX_ENVELOPE_BYTES + 1),
      pack({ clear: 1 }),
      pack({ ...good, clear: good.clear.replace('"sequence":9', '"sequence":8') }),
      pack({ ...good, jwe: { ...good.jwe, tag: good.jwe.iv } }),
      await sealEnvelope({ clear: runPod, sealed, messageKey: 'c1/u1', key: { ...key, kid: 'strange' } }),
    ];
    for (const value of unproven) expect(await provenOf(value)).toBe(false);
    expect(await provenOf(await seal(), 'c2/u1')).toBe(false);
    const proven = [
      await seal({ ...runPod, schemaVersion: 9 } as unknown as ClearPart),
      await seal(runPod, { env: 1 }),
      await seal({ ...runPod, clusterId: 'c9' }),
    ];
    for (const value of proven) expect(await provenOf(value)).toBe(true);
  });

  it('refuses a short tag, even one that is a prefix of the right one', async () => {
    const good = raw(await seal());
    const tag = Buffer.from(good.jwe.tag, 'base64url').subarray(0, 4).toString('base64url');
    expect(await reasonOf(pack({ ...good, jwe: { ...good.jwe, tag } }))).toMatch(/the seal does not fit/);
  });

  it('refuses a body that belongs to another key, and names the path that breaks the schema, never a value', async () => {
    const elsewhere = await seal(runPod, sealed, 'c1/u2');
    expect(await reasonOf(elsewhere, 'c1/u2')).toMatch(/key is "c1\/u2", its content says "c1\/u1"/);
    const broken = {
      ...runPod,
      body: { ...runPod.body, resolved: { profile: 'canary-clear' } },
    } as unknown as ClearPart;
    const opened = await openEnvelope(await seal(broken), 'c1/u1', keyOf);
    expect(opened).toMatchObject({ ok: false, clearText: JSON.stringify(broken) });
    expect(opened).toMatchObject({
      reason: expect.stringMatching(/clear part.*body\.resolved\.profileRevision/) as string,
    });
    const wrongSecret = { ...sealed, env: { 'containers/app/0': { canary: 'canary-value' } } };
    const reason = await reasonOf(await seal(runPod, wrongSecret));
    expect(reason).toMatch(/sealed part breaks its schema: env\.containers\/app\/0/);
    expect(reason).not.toContain('canary');
  });

  it('takes a sealed pod in the version that says so, and in no other', async () => {
    const pod = { metadata: {}, spec: {} };
    const hides: ClearPart = { ...runPod, schemaVersion: 2 };
    expect(await openEnvelope(await seal(hides, { ...sealed, pod }), 'c1/u1', keyOf)).toMatchObject({ ok: true });
    for (const [clear, secret] of [
      [hides, sealed],
      [runPod, { ...sealed, pod }],
    ] as const)
      expect(await reasonOf(await seal(clear, secret))).toMatch(/sealed in schema version 2/);
  });

  it('never throws, whatever the bytes', async () => {
    const good = await seal();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          fc.json().map((json) => new TextEncoder().encode(json)),
          fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => good.with(at, byte)),
        ),
        async (value) => {
          const opened = await openEnvelope(value, 'c1/u1', keyOf);
          // The only bytes that open are those that mean the same.
          if (opened.ok) expect(opened).toEqual({ ok: true, clear: runPod, sealed, storable: true });
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('dead letter', () => {
  it('keeps the original and says why and from where', () => {
    const original = {
      topic: 'eci-fleet.intents.v1',
      partition: 4,
      offset: '77',
      key: 'c1/u1',
      value: new Uint8Array([0, 255]),
      headers: { traceparent: 't' },
      timestamp: 5,
    };
    expect(deadLetter(original, 'the seal does not fit')).toEqual({
      key: 'c1/u1',
      value: original.value,
      headers: {
        traceparent: 't',
        'dead-letter-reason': 'the seal does not fit',
        'dead-letter-topic': 'eci-fleet.intents.v1',
        'dead-letter-partition': '4',
        'dead-letter-offset': '77',
        'dead-letter-timestamp': '5',
      },
    });
  });

  it('fits whatever it is about', () => {
    const size = fc.constantFrom(0, 1, 999_000, 1_000_000, 3_000_000);
    fc.assert(
      fc.property(size, size, size, fc.boolean(), (key, value, header, none) => {
        const letter = deadLetter(
          {
            topic: 'eci-fleet.intents.v1',
            partition: 4,
            offset: '77',
            key: 'k'.repeat(key),
            value: none ? null : Buffer.alloc(value),
            headers: { h: 'x'.repeat(header) },
            timestamp: 5,
          },
          'r'.repeat(value),
        );
        expect(messageBytes(letter)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
        expect(letter.headers).toMatchObject({ 'dead-letter-offset': '77' });
        // The client hashes it to find the partition, some 15 microseconds a character.
        expect(letter.key.length).toBeLessThanOrEqual(512);
      }),
      { numRuns: 30 },
    );
  });
});
