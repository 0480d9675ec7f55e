import { describe, expect, it } from 'vitest';
import { parseProfile } from './profile.ts';
import { matches } from './selectors.ts';

const environment = {
  region: 'cn-hangzhou',
  vSwitchIds: ['vsw-env'],
  securityGroupId: 'sg-env',
  enableClusterIp: true,
};

describe('the profile', () => {
  it('is the environment where there is no ConfigMap', () => {
    expect(parseProfile(environment, undefined)).toMatchObject({
      ok: true,
      value: { profile: environment, selectors: [] },
    });
  });

  it('is the ConfigMap over the environment, key by key', () => {
    const parsed = parseProfile(environment, {
      vSwitchIds: 'vsw-1, vsw-2',
      resourceGroupId: '',
      enableClusterIp: 'false',
    });

    expect(parsed).toMatchObject({
      ok: true,
      value: { profile: { vSwitchIds: ['vsw-1', 'vsw-2'], securityGroupId: 'sg-env', enableClusterIp: false } },
    });
  });

  it('reads older spellings', () => {
    expect(
      parseProfile(environment, { vswitch: 'vsw-old', securitygroup: 'sg-old', 'kube-proxy': 'false' }),
    ).toMatchObject({
      ok: true,
      value: { profile: { vSwitchIds: ['vsw-old'], securityGroupId: 'sg-old', enableClusterIp: false } },
    });
  });

  it('changes its revision exactly with its settings', () => {
    const revision = (data: Record<string, string> | undefined): string => {
      const parsed = parseProfile(environment, data);
      if (!parsed.ok) throw new Error(parsed.faults.join());
      return parsed.value.revision;
    };

    expect(revision({ securityGroupId: 'sg-env' })).toBe(revision(undefined));
    expect(revision({ selectors: '[{"name":"x"}]' })).toBe(revision(undefined));
    expect(revision({ securityGroupId: 'sg-2' })).not.toBe(revision(undefined));
  });

  it('refuses a faulty change as a whole and names every fault', () => {
    const parsed = parseProfile(environment, {
      vSwitchIds: Array.from({ length: 11 }, (_, i) => `vsw-${i}`).join(','),
      enableClusterIp: 'yes',
      selectors: '[{"objectSelector":{"matchExpressions":[{"key":"a","operator":"Near"}]}}]',
    });

    expect(parsed.ok).toBe(false);
    const faults = parsed.ok ? [] : parsed.faults;
    expect(faults).toEqual(
      expect.arrayContaining([
        'vSwitchIds: has 11 vSwitches, ECI takes at most 10',
        'enableClusterIp: must be "true" or "false", not "yes"',
        expect.stringMatching(/^selectors\[0\]\[name\]/),
        expect.stringMatching(/^selectors\[0\]\[objectSelector\]/),
      ]),
    );
  });

  it('refuses selectors that are no JSON', () => {
    expect(parseProfile(environment, { selectors: 'x' })).toEqual({
      ok: false,
      faults: ['selectors: must be a JSON array'],
    });
  });
});

describe('label selectors', () => {
  it.each([
    ['In', ['a'], { k: 'a' }, true],
    ['In', ['a'], {}, false],
    ['NotIn', ['a'], { k: 'a' }, false],
    ['NotIn', ['a'], {}, true],
  ] as const)('%s %j on %j is %s', (operator, values, labels, expected) => {
    expect(matches({ matchExpressions: [{ key: 'k', operator, values: [...values] }] }, labels)).toBe(expected);
  });

  it('an empty one matches everything', () => {
    expect(matches({}, {})).toBe(true);
  });
});
