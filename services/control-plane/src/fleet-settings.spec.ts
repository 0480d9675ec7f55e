import { describe, expect, it } from 'vitest';
import { Duration, durationMs, OrphanPolicySetting, PricesSetting } from './fleet-settings.ts';

const faultOf = (result: { success: boolean; error?: { issues: readonly { message: string }[] } | undefined }) =>
  result.error?.issues[0]?.message;

describe('settings of the fleet', () => {
  it('read durations, and nothing that is none', () => {
    expect([durationMs('90s'), durationMs('5m'), durationMs('2h'), durationMs('1d')]).toEqual([
      90_000, 300_000, 7_200_000, 86_400_000,
    ]);
    for (const wrong of ['5', 'm', '-5m', '5 m', '1.5h', '5w']) expect(durationMs(wrong)).toBeUndefined();
    expect(faultOf(Duration.safeParse('0s'))).toContain('such as 90s or 5m');
  });

  it('read what becomes of orphans', () => {
    expect(OrphanPolicySetting.parse('quarantine')).toEqual({ kind: 'quarantine' });
    expect(OrphanPolicySetting.parse('remove-after:12h')).toEqual({ kind: 'remove-after', afterMs: 43_200_000 });
    expect(faultOf(OrphanPolicySetting.safeParse('remove'))).toContain('remove-after:<duration>');
  });

  it('read prices, and say where they are wrong', () => {
    const price = { regions: 'cn-*', currency: 'CNY', vCpuHour: 0.18, gibHour: 0.022 };
    expect(PricesSetting.parse(JSON.stringify([price]))).toEqual([price]);
    expect(faultOf(PricesSetting.safeParse('[{"regions":"cn-*"}]'))).toContain('$.0.currency');
    expect(faultOf(PricesSetting.safeParse('0.18'))).toContain('must be JSON');
    expect(faultOf(PricesSetting.safeParse('nonsense'))).toContain('must be JSON');
  });
});
