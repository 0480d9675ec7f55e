import {
  CreateContainerGroupRequest,
  DescribeContainerGroupsRequest,
  DescribeContainerGroupStatusRequest,
} from '@alicloud/eci20180808';
import { describe, expect, it } from 'vitest';
import { knownParameters, unknownParameters } from './known-parameters.ts';

interface Model {
  names(): Record<string, string>;
  types(): Record<string, unknown>;
}

/** Wire names of an SDK model; lists as `N`. */
function wireNames(model: Model, prefix = ''): string[] {
  const types = model.types();
  return Object.entries(model.names()).flatMap(([field, name]) => {
    const type = types[field] as Model | string | { type: string; itemType: Model | string };
    if (typeof type === 'string') return [prefix + name];
    if (typeof type === 'function') return wireNames(type, `${prefix}${name}.`);
    const { itemType } = type as { itemType: Model | string };
    return typeof itemType === 'string' ? [`${prefix}${name}.N`] : wireNames(itemType, `${prefix}${name}.N.`);
  });
}

describe('known parameters', () => {
  it.each([
    ['CreateContainerGroup', CreateContainerGroupRequest],
    ['DescribeContainerGroups', DescribeContainerGroupsRequest],
    ['DescribeContainerGroupStatus', DescribeContainerGroupStatusRequest],
  ] as const)('hold everything that the SDK can send with %s', (action, model) => {
    const sent = wireNames(model as unknown as Model).map((name) => name.replace(/\.N(?=\.|$)/g, '.1'));
    expect(sent.length).toBeGreaterThan(8);
    expect(unknownParameters(action, sent)).toEqual([]);
  });

  it('do not hold misspelt names', () => {
    expect(
      unknownParameters('CreateContainerGroup', [
        'VSwitchId',
        'vswitchId',
        'Container.1.name',
        'Container.12.Port.3.Port',
      ]),
    ).toEqual(['vswitchId', 'Container.1.name']);
    expect(knownParameters('ListUsage').has('RegionId')).toBe(true);
  });
});
