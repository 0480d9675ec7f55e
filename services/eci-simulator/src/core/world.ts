import { Addresses } from './addresses.ts';
import { Stock, type StockLimit } from './stock.ts';
import { WireError } from './wire-error.ts';

export interface RegionDefinition {
  readonly id: string;
  /** Sizes beyond the classic table (ECI docs: only some regions sell them). */
  readonly extraSizes: boolean;
  readonly zones: readonly string[];
  readonly vSwitches: readonly VSwitchDefinition[];
  readonly securityGroups: readonly { readonly id: string; readonly vpcId: string }[];
}

interface VSwitchDefinition {
  readonly id: string;
  readonly zone: string;
  readonly vpcId: string;
  readonly cidr: string;
}

export interface VSwitch extends VSwitchDefinition {
  readonly region: string;
  readonly addresses: Addresses;
}

/** Regions with their zones, networks, addresses and stock. */
export class World {
  readonly stock = new Stock();
  /** Zones closed for purchase. */
  readonly closedZones = new Set<string>();
  private readonly byRegion = new Map<string, RegionDefinition>();
  private readonly vSwitches = new Map<string, VSwitch>();

  constructor(regions: readonly RegionDefinition[], limits: readonly StockLimit[]) {
    for (const region of regions) {
      this.byRegion.set(region.id, region);
      for (const definition of region.vSwitches) {
        this.vSwitches.set(definition.id, {
          ...definition,
          region: region.id,
          addresses: new Addresses(definition.cidr),
        });
      }
    }
    this.stock.setLimits(limits);
  }

  get regions(): readonly RegionDefinition[] {
    return [...this.byRegion.values()];
  }

  region(id: string): RegionDefinition {
    const region = this.byRegion.get(id);
    if (!region) throw new WireError('InvalidRegionId.NotFound', 404, `The region ${id} does not exist.`);
    return region;
  }

  vSwitch(id: string): VSwitch | undefined {
    return this.vSwitches.get(id);
  }

  allVSwitches(): readonly VSwitch[] {
    return [...this.vSwitches.values()];
  }
}

const demoRegion = (id: string, second: number, zones: readonly string[]): RegionDefinition => {
  const suffix = id === 'cn-hangzhou' ? '' : `-${id.slice(id.indexOf('-') + 1)}`;
  return {
    id,
    extraSizes: true,
    zones: zones.map((zone) => `${id}-${zone}`),
    vSwitches: zones.map((zone, index) => ({
      id: `vsw-demo${suffix}-${zone}`,
      zone: `${id}-${zone}`,
      vpcId: `vpc-demo${suffix}`,
      cidr: `10.${second}.${index * 16}.0/20`,
    })),
    securityGroups: [{ id: `sg-demo${suffix}`, vpcId: `vpc-demo${suffix}` }],
  };
};

/** cn-hangzhou with zones h, i, j, k (`vsw-demo-h` ..., `sg-demo`, `vpc-demo`) and cn-beijing with f, g, h (`vsw-demo-beijing-f` ...). */
export const DEMO_REGIONS: readonly RegionDefinition[] = [
  demoRegion('cn-hangzhou', 64, ['h', 'i', 'j', 'k']),
  demoRegion('cn-beijing', 65, ['f', 'g', 'h']),
];
