import type { GroupDefinition } from './definition.ts';
import { isSpotSize, parseSpec, roundUp, type Size, specOf } from './specs.ts';
import type { Random } from '#libs/runtime';
import type { VSwitch, World } from './world.ts';
import { invalid, WireError } from './wire-error.ts';

export interface Place {
  readonly vSwitch: VSwitch;
  readonly size: Size;
}

/** The sizes to try, in order; what the group asks for, else the sum of its containers, else 2 vCPU and 4 GiB. */
export function sizesOf(definition: GroupDefinition, extraSizes: boolean): Size[] {
  const sizes =
    definition.specs.length > 0
      ? definition.specs.map((spec) => parseSpec(spec, extraSizes))
      : [roundUp(...askedFor(definition), extraSizes)];
  if (definition.spotStrategy !== 'NoSpot') {
    for (const size of sizes) {
      if (!isSpotSize(size)) throw invalid(`${specOf(size)} cannot be bought as spot.`, 'InvalidSpotCpuMemorySpec');
    }
  }
  return sizes;
}

function askedFor(definition: GroupDefinition): [number, number] {
  const sum = (pick: 'cpu' | 'memory'): number => {
    const main = definition.containers.reduce((total, container) => total + (container[pick] ?? 0), 0);
    return Math.max(main, ...definition.initContainers.map((container) => container[pick] ?? 0));
  };
  const cpu = definition.cpu ?? sum('cpu');
  const memory = definition.memory ?? sum('memory');
  return cpu === 0 && memory === 0 ? [2, 4] : [cpu, memory];
}

/** The vSwitches of a request, checked: known, of one VPC, of the zone and the security groups asked for. Fills in what was left out. */
export function networkOf(
  definition: GroupDefinition,
  world: World,
): { definition: GroupDefinition; vSwitches: VSwitch[] } {
  const region = world.region(definition.region);
  const ids =
    definition.vSwitchIds.length > 0 ? definition.vSwitchIds : region.vSwitches.slice(0, 1).map(({ id }) => id);
  const all = ids.map((id) => {
    const found = world.vSwitch(id);
    if (!found || found.region !== definition.region)
      throw new WireError(
        'InvalidVSwitchId.NotFound',
        404,
        `The vSwitch ${id} does not exist in ${definition.region}.`,
      );
    return found;
  });
  const vpcId = all[0]?.vpcId ?? '';
  if (all.some((each) => each.vpcId !== vpcId)) throw invalid('All vSwitches of a request must belong to one VPC.');
  if (definition.zoneId && !region.zones.includes(definition.zoneId))
    throw new WireError(
      'InvalidZoneId.NotFound',
      404,
      `The zone ${definition.zoneId} does not exist in ${definition.region}.`,
    );
  const vSwitches = definition.zoneId ? all.filter(({ zone }) => zone === definition.zoneId) : all;
  if (vSwitches.length === 0)
    throw new WireError(
      'OperationDenied.VswZoneMisMatch',
      403,
      `No vSwitch of the request is in zone ${definition.zoneId}.`,
    );
  const asked = definition.securityGroupIds;
  const securityGroupIds =
    asked.length > 0
      ? asked
      : region.securityGroups
          .filter((group) => group.vpcId === vpcId)
          .slice(0, 1)
          .map(({ id }) => id);
  for (const id of securityGroupIds) {
    const group = region.securityGroups.find((each) => each.id === id);
    if (!group)
      throw new WireError(
        'InvalidSecurityGroupId.NotFound',
        404,
        `The security group ${id} does not exist in ${definition.region}.`,
      );
    if (group.vpcId !== vpcId)
      throw new WireError(
        'OperationDenied.SecurityGroupMisMatch',
        403,
        'The security group and the vSwitch are in different VPCs.',
      );
  }
  return { definition: { ...definition, securityGroupIds, vpcId }, vSwitches };
}

/**
 * Chooses where a group goes: each size in order, over the vSwitches in their order (`ordered`) or in one the system makes up. Changes nothing.
 * Throws the refusal that the cloud gives when no combination has room.
 */
export function choosePlace(
  sizes: readonly Size[],
  vSwitches: readonly VSwitch[],
  {
    ordered,
    spot,
    world,
    random,
    fullVSwitch,
  }: { ordered: boolean; spot: boolean; world: World; random: Random; fullVSwitch: 'skip' | 'refuse' },
): Place {
  if (fullVSwitch === 'refuse') {
    const full = vSwitches.find(({ addresses }) => addresses.free === 0);
    if (full) throw ipNotEnough(full.id);
  }
  const candidates = ordered ? vSwitches : shuffled(vSwitches, random);
  let withAddress = false;
  let withOpenZone = false;
  for (const size of sizes) {
    for (const vSwitch of candidates) {
      if (world.closedZones.has(vSwitch.zone)) continue;
      withOpenZone = true;
      if (vSwitch.addresses.free === 0) continue;
      withAddress = true;
      if (world.stock.free(vSwitch.zone, size, spot) > 0) return { vSwitch, size };
    }
  }
  const specs = sizes.map(specOf).join(', ');
  if (!withOpenZone) throw new WireError('Zone.NotOnSale', 403, 'The zone is closed for purchase.');
  if (!withAddress) throw ipNotEnough(vSwitches.map(({ id }) => id).join(', '));
  if (spot) throw new WireError('Spot.NotMatched', 403, `No spot capacity for ${specs}.`);
  throw new WireError(
    'OperationDenied.NoStock',
    403,
    `The requested resource ${specs} is sold out in the specified zones.`,
  );
}

function ipNotEnough(ids: string): WireError {
  return new WireError('InvalidVSwitchId.IpNotEnough', 403, `The vSwitch ${ids} does not have enough IP addresses.`);
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let index = result.length - 1; index > 0; index--) {
    const other = Math.floor(random.next() * (index + 1));
    [result[index], result[other]] = [result[other]!, result[index]!];
  }
  return result;
}
