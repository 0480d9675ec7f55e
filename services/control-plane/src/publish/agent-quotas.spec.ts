import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quotaOfAgents, settled } from './agent-quotas.ts';

type Quota = number | undefined;

/** What may happen to one principal's quota, and to the process that settles it. */
type Happening =
  | { readonly kind: 'settle' }
  | { readonly kind: 'dies between Kafka and the database' }
  | { readonly kind: 'setting'; readonly to: Quota }
  | { readonly kind: 'operator'; readonly to: Quota };

const setting = fc.constantFrom<Quota>(undefined, 100, 200);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.constant<Happening>({ kind: 'settle' }),
  fc.constant<Happening>({ kind: 'dies between Kafka and the database' }),
  setting.map((to): Happening => ({ kind: 'setting', to })),
  fc.constantFrom<Quota>(undefined, 7, 9).map((to): Happening => ({ kind: 'operator', to })),
);

class Principal {
  atKafka: Quota;
  ours: Quota;
  wanted: Quota = 100;
  writes = 0;

  settle(dies = false): void {
    const next = settled({ wanted: this.wanted, ours: this.ours, found: this.atKafka });
    if (next.write) {
      this.atKafka = next.ours;
      this.writes += 1;
    }
    if (!dies) this.ours = next.ours;
  }
}

describe('the quota of an agent', () => {
  it("is an operator's for as long as there is one, and the setting's otherwise, whatever happened before", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 30 }), (story) => {
        const principal = new Principal();
        let operators: Quota;
        for (const event of story) {
          if (event.kind === 'setting') {
            // Who dies half-way and comes back with another setting cannot tell his own quota from an operator's: the one case that is left out.
            principal.settle();
            principal.wanted = event.to;
          } else if (event.kind === 'operator') {
            principal.atKafka = operators = event.to;
          } else {
            principal.settle(event.kind !== 'settle');
          }
          if (operators !== undefined) expect(principal.atKafka).toBe(operators);
        }
        principal.settle();
        expect(principal.atKafka).toBe(operators ?? principal.wanted);
        const { writes } = principal;
        principal.settle();
        expect(principal.writes).toBe(writes);
      }),
    );
  });

  it.each([
    ['one that is missing is set', { wanted: 5, ours: undefined, found: undefined }, { ours: 5, write: true }],
    ['one that was taken away is set again', { wanted: 5, ours: 5, found: undefined }, { ours: 5, write: true }],
    ['one of an older setting is changed', { wanted: 5, ours: 4, found: 4 }, { ours: 5, write: true }],
    ['one that is as wanted is taken for ours', { wanted: 5, ours: undefined, found: 5 }, { ours: 5, write: false }],
    ["an operator's is left alone", { wanted: 5, ours: 4, found: 3 }, { ours: undefined, write: false }],
    ['ours goes when none is wanted', { wanted: undefined, ours: 4, found: 4 }, { ours: undefined, write: true }],
    ["an operator's does not", { wanted: undefined, ours: 4, found: 3 }, { ours: undefined, write: false }],
  ])('%s', (_name, quota, next) => {
    expect(settled(quota)).toEqual(next);
  });

  it('is none where agents have no names at Kafka, or none is wanted', () => {
    const kafka = {
      brokers: [],
      brokersForAgents: [],
      security: 'plaintext',
      securityForAgents: 'oauthbearer',
      tlsForAgents: false,
      insecure: false,
      intentPartitions: 12,
      produceBytesForAgents: 70_000,
    } as const;
    expect(quotaOfAgents(kafka)).toBe(70_000);
    expect(quotaOfAgents({ ...kafka, produceBytesForAgents: 0 })).toBeUndefined();
    expect(quotaOfAgents({ ...kafka, securityForAgents: 'plaintext' })).toBeUndefined();
  });
});
