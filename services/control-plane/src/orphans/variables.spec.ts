import { describe, expect, it } from 'vitest';
import { orphans } from './variables.ts';

const { FLEET_ORPHAN_POLICY: policy, FLEET_PRICES: prices } = orphans.variables;
const faultOf = (result: { success: boolean; error?: { issues: readonly { message: string }[] } | undefined }) =>
  result.error?.issues[0]?.message;

describe('settings of orphans', () => {
  it('say what becomes of them', () => {
    expect(policy.schema.parse('quarantine')).toEqual({ kind: 'quarantine' });
    expect(policy.schema.parse('remove-after:12h')).toEqual({ kind: 'remove-after', afterMs: 43_200_000 });
    expect(faultOf(policy.schema.safeParse('remove'))).toContain('remove-after:<duration>');
  });

  it('read prices, and say where they are wrong', () => {
    const price = { regions: 'cn-*', currency: 'CNY', vCpuHour: 0.18, gibHour: 0.022 };
    expect(prices.schema.parse(JSON.stringify([price]))).toEqual([price]);
    expect(faultOf(prices.schema.safeParse('[{"regions":"cn-*"}]'))).toContain('$.0.currency');
    expect(faultOf(prices.schema.safeParse('0.18'))).toContain('must be JSON');
    expect(faultOf(prices.schema.safeParse('nonsense'))).toContain('must be JSON');
  });
});
