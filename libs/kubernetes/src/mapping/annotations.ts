/** Reads the annotations that steer how a pod runs on ECI. */
import type { ContainerGroupSpec } from '#libs/contracts';
import { ANNOTATIONS, PREFIX } from './annotation-table.ts';
import { child } from './fields/field.ts';
import { LIMITS } from './limits.ts';
import { GIB, parseQuantity } from './quantity.ts';
import { type Ignored, own, refuse } from './refusal.ts';

export interface Steering {
  readonly vSwitchIds?: readonly string[];
  readonly securityGroupIds?: readonly string[];
  readonly resourceGroupId?: string;
  readonly scheduleStrategy?: 'VSwitchOrdered' | 'VSwitchRandom';
  readonly useSpecs?: readonly string[];
  readonly failStrategy: 'fail-back' | 'fail-fast';
  readonly spot?: NonNullable<ContainerGroupSpec['spot']>;
  readonly spotFallback: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly hostAliases: ContainerGroupSpec['hostAliases'];
  readonly ramRoleName?: string;
  readonly maxPendingMinutes?: number;
  readonly extraStorageGiB?: number;
  readonly autoMatchImageCache?: boolean;
  readonly imageSnapshotId?: string;
}

const pathOf = (key: string): string => child('metadata.annotations', key);

/** Reads by short names (without the prefix); an empty value is as good as none. */
class Annotations {
  private readonly all: Readonly<Record<string, string>>;

  constructor(all: Readonly<Record<string, string>>) {
    this.all = all;
  }

  text(...names: readonly string[]): { readonly value: string; readonly at: string } | undefined {
    for (const name of names) {
      const value = own(this.all, PREFIX + name)?.trim();
      if (value) return { value, at: pathOf(PREFIX + name) };
    }
    return undefined;
  }

  list(name: string, most: number, ...older: readonly string[]): readonly string[] | undefined {
    const found = this.text(name, ...older);
    if (!found) return undefined;
    const items = found.value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    if (items.length === 0 || items.length > most)
      return refuse(found.at, `must name 1 to ${most}, separated by commas`);
    return [...new Set(items)];
  }

  flag(...names: readonly string[]): boolean | undefined {
    const found = this.text(...names);
    if (!found) return undefined;
    const value = found.value.toLowerCase();
    return value === 'true' || (value === 'false' ? false : refuse(found.at, 'must be true or false'));
  }

  choice<T extends string>(values: readonly T[], name: string): T | undefined {
    const found = this.text(name);
    return (
      found &&
      (values.find((value) => value === found.value) ?? refuse(found.at, `must be one of ${values.join(', ')}`))
    );
  }

  number(name: string, least: number, most: number): number | undefined {
    const found = this.text(name);
    if (!found) return undefined;
    const value = /^\d{1,6}$/.test(found.value) ? Number(found.value) : NaN;
    return value >= least && value <= most
      ? value
      : refuse(found.at, `must be a whole number from ${least} to ${most}`);
  }
}

/** Refuses annotations that would change what runs and are not understood; notes those that are ignored. */
function checkKnown(all: Readonly<Record<string, string>>, seen: Ignored[]): void {
  for (const [key, value] of Object.entries(all)) {
    const row = own(ANNOTATIONS, key);
    if (!row && !key.startsWith(PREFIX)) continue;
    const asksForNothing = value.trim() === '' || value.trim().toLowerCase() === 'false';
    if (!row) {
      if (!asksForNothing)
        refuse(pathOf(key), 'is not known to this version of ECI Fleet; remove it, or check its spelling');
    } else if (row.use === 'refused' && !asksForNothing) {
      refuse(pathOf(key), row.note);
    } else if (row.use === 'ignored' && !asksForNothing) {
      seen.push({ field: pathOf(key), reason: row.note });
    }
  }
}

export function readSteering(all: Readonly<Record<string, string>>, seen: Ignored[]): Steering {
  checkKnown(all, seen);
  const annotations = new Annotations(all);
  const vSwitchIds = annotations.list('eci-vswitch', LIMITS.vSwitches);
  const securityGroupIds = annotations.list('eci-security-group', LIMITS.securityGroups);
  const resourceGroupId = annotations.text('eci-resource-group-id')?.value;
  const scheduleStrategy = annotations.choice(['VSwitchOrdered', 'VSwitchRandom'], 'eci-schedule-strategy');
  const useSpecs = annotations.list('eci-use-specs', 20, 'eci-instance-type');
  useSpecs?.forEach((spec) => {
    if (!/^\d+(\.\d+)?-\d+(\.\d+)?Gi$/.test(spec) && !/^ecs(\.[a-z0-9-]+){2,4}$/.test(spec)) {
      refuse(
        annotations.text('eci-use-specs', 'eci-instance-type')!.at,
        'must be sizes such as 2-4Gi or instance types such as ecs.c6.xlarge, separated by commas',
      );
    }
  });
  const spot = readSpot(annotations);
  const ramRoleName = annotations.text('eci-ram-role-name')?.value;
  const maxPendingMinutes = annotations.number('eci-max-pending-minute', 10, 1440);
  const extraStorageGiB = readStorage(annotations);
  const autoMatchImageCache = annotations.flag('eci-auto-imc', 'eci-image-cache');
  const imageSnapshotId = annotations.text('eci-imc-id', 'eci-image-snapshot-id')?.value;
  return {
    ...(vSwitchIds && { vSwitchIds }),
    ...(securityGroupIds && { securityGroupIds }),
    ...(resourceGroupId && { resourceGroupId }),
    ...(scheduleStrategy && { scheduleStrategy }),
    ...(useSpecs && { useSpecs }),
    failStrategy: readFailStrategy(annotations),
    ...(spot && { spot }),
    spotFallback: annotations.flag('eci-spot-fallback') ?? false,
    tags: readTags(annotations),
    hostAliases: readHosts(annotations),
    ...(ramRoleName && { ramRoleName }),
    ...(maxPendingMinutes !== undefined && { maxPendingMinutes }),
    ...(extraStorageGiB !== undefined && { extraStorageGiB }),
    ...(autoMatchImageCache !== undefined && { autoMatchImageCache }),
    ...(imageSnapshotId && { imageSnapshotId }),
  };
}

/** fail-over is documented as the same as fail-back. The old forms count only where the new one is absent. */
function readFailStrategy(annotations: Annotations): Steering['failStrategy'] {
  const stated = annotations.choice(['fail-back', 'fail-over', 'fail-fast'], 'eci-fail-strategy');
  if (stated) return stated === 'fail-fast' ? 'fail-fast' : 'fail-back';
  if (annotations.flag('pod-fail-on-create-err')) return 'fail-fast';
  return annotations.flag('eci-reschedule-enable') === false ? 'fail-fast' : 'fail-back';
}

function readSpot(annotations: Annotations): Steering['spot'] {
  const strategy = annotations.choice(['NoSpot', 'SpotAsPriceGo', 'SpotWithPriceLimit'], 'eci-spot-strategy');
  const limit = annotations.text('eci-spot-price-limit');
  const durationHours = annotations.number('eci-spot-duration', 0, 6);
  if (!strategy || strategy === 'NoSpot') return undefined;
  const duration = durationHours === undefined ? {} : { durationHours };
  if (strategy === 'SpotAsPriceGo') return { strategy, ...duration };
  if (!limit) return refuse(pathOf(`${PREFIX}eci-spot-price-limit`), 'is missing; SpotWithPriceLimit needs it');
  const priceLimit = /^\d{1,6}(\.\d{1,3})?$/.test(limit.value) ? Number(limit.value) : 0;
  return priceLimit > 0
    ? { strategy, priceLimit, ...duration }
    : refuse(limit.at, 'must be a price per hour above 0 with at most 3 decimals');
}

function readStorage(annotations: Annotations): number | undefined {
  const found = annotations.text('eci-extra-ephemeral-storage');
  if (!found) return undefined;
  const bytes = parseQuantity(found.value);
  const size = bytes === undefined ? NaN : Math.ceil(bytes / GIB - 1e-9);
  return size >= 0 && size <= LIMITS.ephemeralStorageGiB
    ? size
    : refuse(found.at, `must be a quantity such as 50Gi, at most ${LIMITS.ephemeralStorageGiB}Gi`);
}

function readTags(annotations: Annotations): Record<string, string> {
  const found = annotations.text('eci-custom-tags');
  if (!found) return {};
  const tags = new Map<string, string>();
  for (const pair of found.value.split(',')) {
    const colon = pair.indexOf(':');
    const key = pair.slice(0, colon).trim();
    const value = pair.slice(colon + 1).trim();
    const fits =
      colon > 0 && key.length >= 1 && key.length <= LIMITS.tagKeyChars && value.length <= LIMITS.tagValueChars;
    const reserved = /^(aliyun|acs:|eci-fleet)/i.test(key) || /^acs:/i.test(value) || /https?:\/\//i.test(pair);
    if (!fits || reserved) {
      refuse(
        found.at,
        `must be key:value pairs separated by commas; keys of 1 to ${LIMITS.tagKeyChars} characters that do not begin with aliyun, acs: or eci-fleet, values of at most ${LIMITS.tagValueChars}, without http:// and https://`,
      );
    }
    tags.set(key, value);
  }
  if (tags.size > LIMITS.customTags) refuse(found.at, `must name at most ${LIMITS.customTags} tags`);
  return Object.fromEntries(tags);
}

function readHosts(annotations: Annotations): ContainerGroupSpec['hostAliases'] {
  const found = annotations.text('eci-custom-hosts');
  if (!found) return [];
  const wrong = (): never => refuse(found.at, 'must be a JSON list such as [{"host":"a.example","ip":"10.0.0.9"}]');
  let list: unknown;
  try {
    list = JSON.parse(found.value);
  } catch {
    return wrong();
  }
  if (!Array.isArray(list)) return wrong();
  return list.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return wrong();
    const { host, ip } = entry as { host?: unknown; ip?: unknown };
    return typeof host === 'string' && typeof ip === 'string' ? { ip, hostnames: [host] } : wrong();
  });
}
