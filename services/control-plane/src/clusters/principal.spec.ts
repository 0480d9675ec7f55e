import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentOf, principalOf } from './principal.ts';

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/);

describe('the principal of an agent', () => {
  it('tells fleet, cluster and key apart from all others', () => {
    fc.assert(
      fc.property(name, name, fc.nat(100_000), name, (fleet, clusterId, generation, other) => {
        const principal = principalOf(fleet, clusterId, generation);
        expect(agentOf(fleet, principal)).toEqual({ clusterId, generation });
        if (other !== fleet) expect(agentOf(other, principal)).toBeUndefined();
      }),
    );
  });

  it('is that of before for the first key, and none that an operator or another fleet made', () => {
    expect(principalOf('eci-fleet', 'c1', 0)).toBe('eci-fleet.c1');
    for (const principal of [
      'eci-fleet',
      'eci-fleet.',
      'eci-fleet.auditor',
      'eci-fleet.control-plane.1',
      'eci-fleet.c1.x',
      'eci-fleet.c1.01',
      'eci-fleet.c1.2.3',
      'eci-fleet.c1.',
      '*',
    ])
      expect(agentOf('eci-fleet', principal), principal).toBeUndefined();
  });
});
