import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { AlibabaEciClient, endpointOf, IDENTITY_TAGS } from './index.ts';
import { identity, maximalSpec, placement } from '../spec/maximal-spec.ts';
import { identityOf, tagsOf } from './tags.ts';

const client = (fileModes?: 'number' | 'octal-digits') =>
  new AlibabaEciClient({
    accountId: 'a',
    region: 'cn-hangzhou',
    endpoint: endpointOf('cn-hangzhou'),
    credential: () => Promise.reject(new Error('not needed to freeze')),
    ...(fileModes ? { fileModes } : {}),
  });
const fieldsOf = (request: string): Record<string, unknown> =>
  (JSON.parse(request) as { fields: Record<string, unknown> }).fields;

describe('freeze', () => {
  it('gives the same bytes for the same inputs, whatever the order of their properties', () => {
    const frozen = client().freeze(maximalSpec, placement, identity);
    const shuffled = Object.fromEntries(Object.entries(maximalSpec).toReversed()) as unknown as typeof maximalSpec;
    expect(
      client().freeze({ ...shuffled, tags: { 'cost-center': '42', team: 'payments' } }, placement, identity),
    ).toEqual(frozen);
    expect(frozen).toMatchObject({ accountId: 'a', region: 'cn-hangzhou', clientToken: 'token-1' });
    expect(frozen.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(client().freeze(maximalSpec, { ...placement, specs: ['4-8Gi'] }, identity).digest).not.toBe(frozen.digest);
  });

  it('keeps the order of vSwitches and specs, and asks ECI to keep it too when the policy means it', () => {
    const ordered = fieldsOf(client().freeze(maximalSpec, placement, identity).request);
    expect(ordered).toMatchObject({
      vSwitchId: 'vsw-b,vsw-a',
      scheduleStrategy: 'VSwitchOrdered',
      instanceType: '2-4Gi,ecs.c6.large',
    });
    const free = fieldsOf(client().freeze(maximalSpec, { ...placement, ordered: false }, identity).request);
    expect(free).toMatchObject({ scheduleStrategy: 'VSwitchRandom' });
  });

  it('asks for spot only when the placement does', () => {
    expect(fieldsOf(client().freeze(maximalSpec, placement, identity).request)).toMatchObject({
      spotStrategy: 'SpotWithPriceLimit',
      spotPriceLimit: 0.123,
      spotDuration: 0,
    });
    const onDemand = client().freeze(maximalSpec, { ...placement, spot: false }, identity).request;
    expect(onDemand).not.toContain('spot');
    const { spot: _, ...plain } = maximalSpec;
    expect(fieldsOf(client().freeze(plain, placement, identity).request)).toMatchObject({
      spotStrategy: 'SpotAsPriceGo',
    });
  });

  it('sends file modes as numbers, or as octal digits where a switch says so', () => {
    const modes = (request: string): unknown =>
      (fieldsOf(request)['volume'] as { configFileVolume?: { defaultMode: number } }[])[1]?.configFileVolume;
    expect(modes(client().freeze(maximalSpec, placement, identity).request)).toMatchObject({
      defaultMode: 420,
      configFileToPath: [{ mode: 256 }, {}],
    });
    expect(modes(client('octal-digits').freeze(maximalSpec, placement, identity).request)).toMatchObject({
      defaultMode: 644,
      configFileToPath: [{ mode: 400 }, {}],
    });
  });

  it('never writes a number that ECI cannot read', () => {
    const odd = { ...maximalSpec, containers: [{ ...maximalSpec.containers[0]!, cpu: 1e-7, memoryGiB: 0.1 + 0.2 }] };
    expect(fieldsOf(client().freeze(odd, placement, identity).request)).toMatchObject({
      container: [{ cpu: 0, memory: 0.3 }],
    });
  });

  it('refuses what cannot be asked for', () => {
    const freeze =
      (change: object, spec = maximalSpec) =>
      () =>
        client().freeze(spec, { ...placement, ...change }, identity);
    expect(freeze({ vSwitchIds: [] })).toThrow(/1 to 10 vSwitches, not 0/);
    expect(freeze({ vSwitchIds: Array.from({ length: 11 }, (_, i) => `v${i}`) })).toThrow(/not 11/);
    expect(freeze({ specs: [] })).toThrow(/at least one spec/);
    expect(freeze({}, { ...maximalSpec, region: 'cn-beijing' })).toThrow(/for cn-beijing cannot be frozen/);
  });
});

describe('tags', () => {
  it('put identity first, never more than 20, values never longer than 128, and come back as they were', () => {
    fc.assert(
      fc.property(
        fc.record({
          fleet: fc.string({ minLength: 1, maxLength: 40 }),
          clusterId: fc.string({ minLength: 1, maxLength: 63 }),
          podUid: fc.uuid(),
          attempt: fc.integer({ min: 1, max: 999_999 }),
          namespace: fc.string({ minLength: 1, maxLength: 253 }),
          name: fc.string({ minLength: 1, maxLength: 253 }),
        }),
        fc.dictionary(fc.oneof(fc.string(), fc.constantFrom(...Object.values(IDENTITY_TAGS))), fc.string(), {
          maxKeys: 40,
        }),
        (who, theirs) => {
          const tags = tagsOf(who, theirs);
          expect(tags.length).toBeLessThanOrEqual(20);
          expect(Math.max(...tags.map((tag) => tag.value.length))).toBeLessThanOrEqual(128);
          expect(new Set(tags.map((tag) => tag.key)).size).toBe(tags.length);
          expect(identityOf(tags)).toEqual({
            ...who,
            namespace: who.namespace.slice(0, 128),
            name: who.name.slice(0, 128),
          });
        },
      ),
    );
  });

  it('of others, or damaged, are read as far as they make sense', () => {
    expect(identityOf(undefined)).toBeUndefined();
    expect(identityOf([{ key: 'team', value: 'x' }])).toBeUndefined();
    expect(identityOf([{ key: 'eci-fleet', value: 'f' }, { key: 'eci-fleet-attempt', value: 'two' }, {}])).toEqual({
      fleet: 'f',
    });
  });
});
