/** The small questions: regions, usage, stock. */
import type { Parameters } from './parameters.ts';
import type { World } from './world.ts';

export function regionsView(world: World, only: string): Record<string, unknown> {
  return {
    Regions: world.regions
      .filter(({ id }) => only === '' || id === only)
      .map(({ id, zones }) => ({
        RegionId: id,
        RegionEndpoint: `eci.${id}.aliyuncs.com`,
        Zones: zones,
        RecommendZones: zones.filter((zone) => !world.closedZones.has(zone)),
      })),
  };
}

export function usageView(maxCpu: number, usedCpu: number): Record<string, unknown> {
  return {
    Attributes: {
      MaxCpu: maxCpu,
      UsedCpu: usedCpu,
      MaxImageCacheCount: 500,
      UsedImageCacheCount: 0,
      MaxAutoImageCacheCount: 25,
      UsedAutoImageCacheCount: 0,
      MaxDataCacheCount: 100,
      UsedDataCacheCount: 0,
    },
  };
}

/** Stock of an instance type or family per zone; it does not answer for plain sizes. */
export function availableResource(world: World, from: Parameters): Record<string, unknown> {
  const wanted = from.child('DestinationResource');
  const Type =
    wanted?.requiredText('Category', { oneOf: ['InstanceTypeFamily', 'InstanceType'] }) ??
    from.requiredText('DestinationResource.Category');
  const Value = wanted?.text('Value') ?? '';
  const RegionId = from.requiredText('RegionId');
  const zone = from.text('ZoneId') || undefined;
  return {
    AvailableZones: {
      AvailableZone: world
        .region(RegionId)
        .zones.filter((each) => zone === undefined || each === zone)
        .map((ZoneId) => {
          const family = Value.split('.').slice(0, 2).join('.');
          const free = Math.min(...['*', family, Value].map((kind) => world.stock.freeOf(ZoneId, kind)));
          const StatusCategory = world.closedZones.has(ZoneId)
            ? 'ClosedWithoutStock'
            : free === 0
              ? 'WithoutStock'
              : free <= 3
                ? 'ClosedWithStock'
                : 'WithStock';
          return {
            RegionId,
            ZoneId,
            AvailableResources: {
              AvailableResource: [{ Type, SupportedResources: { SupportedResource: [{ Value, StatusCategory }] } }],
            },
          };
        }),
    },
  };
}
