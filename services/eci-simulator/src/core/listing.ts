import type { Group, GroupEvent } from './group.ts';
import { eventsView, statusView } from './status-view.ts';
import { groupView } from './group-view.ts';
import type { Parameters } from './parameters.ts';
import { hasTags, type Registry } from './registry.ts';
import { invalid } from './wire-error.ts';

interface Caller {
  readonly account: string;
  /** Simulated time: who is visible yet. */
  readonly now: number;
  /** The callers' clock: what "the last N seconds" means. */
  readonly observedAt: number;
}

export interface Page {
  readonly field: 'ContainerGroups' | 'Data';
  readonly items: Record<string, unknown>[];
  readonly total: number;
  /** Empty at the end of the list. */
  readonly next: string;
  /** A token that goes on after the first half of this page. */
  readonly halfway: string;
}

export function describeGroups(registry: Registry, from: Parameters, caller: Caller): Page {
  const withEvents = from.flag('WithEvent') ?? false;
  return list(registry, from, caller, {
    field: 'ContainerGroups',
    limit: readLimit(from, 20, 20),
    view: (group) => groupView(group, withEvents),
  });
}

export function describeStatus(registry: Registry, from: Parameters, caller: Caller): Page {
  return list(registry, from, caller, {
    field: 'Data',
    limit: readLimit(from, 50, 200),
    since: readSince(from, caller),
    view: statusView,
  });
}

export function describeEvents(registry: Registry, from: Parameters, caller: Caller): Page {
  const since = readSince(from, caller);
  const source = from.text('EventSource', { oneOf: ['EciService', 'K8sAgent', ''] });
  const wanted = (event: GroupEvent): boolean =>
    (!source || event.source === source) && (since === undefined || event.observedAt >= since);
  return list(registry, from, caller, {
    field: 'Data',
    limit: readLimit(from, 50, 200),
    since,
    keep: (group) => since === undefined || group.events.some(wanted),
    view: (group) => eventsView(group, wanted),
  });
}

interface Listing {
  readonly field: Page['field'];
  readonly limit: number;
  readonly since?: number | undefined;
  readonly keep?: (group: Group) => boolean;
  readonly view: (group: Group) => Record<string, unknown>;
}

function list(
  registry: Registry,
  from: Parameters,
  caller: Caller,
  { field, limit, since, keep, view }: Listing,
): Page {
  const matches = filter(from, caller);
  const ids = readIds(from);
  const cursor = readToken(from.text('NextToken'));
  const tags = readTagFilter(from);
  const candidates: Iterable<readonly [number, Group]> = ids
    ? [...new Set(ids)].flatMap((id, index) => {
        const group = registry.get(id);
        return group && hasTags(group, tags) && (since === undefined || group.observedAt >= since)
          ? [[index + 1, group] as const]
          : [];
      })
    : since === undefined
      ? registry.created(-Infinity, tags)
      : registry.changedSince(since, -Infinity);
  const page: (readonly [number, Group])[] = [];
  let total = 0;
  let more = false;
  for (const entry of candidates) {
    const [number, group] = entry;
    if (!matches(group) || !hasTags(group, tags) || (keep && !keep(group))) continue;
    total += 1;
    if (number <= cursor) continue;
    if (page.length < limit) page.push(entry);
    else more = true;
  }
  return {
    field,
    items: page.map(([, group]) => view(group)),
    total,
    next: more ? writeToken(page.at(-1)![0]) : '',
    halfway: page.length > 1 ? writeToken(page[Math.ceil(page.length / 2) - 1]![0]) : '',
  };
}

function filter(from: Parameters, { account, now }: Caller): (group: Group) => boolean {
  const region = from.text('RegionId');
  const name = from.text('ContainerGroupName') || undefined;
  const status = from.text('Status') || undefined;
  const zone = from.text('ZoneId') || undefined;
  const vSwitch = from.text('VSwitchId') || undefined;
  const resourceGroup = from.text('ResourceGroupId') || undefined;
  const securityGroup = from.text('SecurityGroupId') || undefined;
  return (group) =>
    (securityGroup === undefined || group.definition.securityGroupIds.includes(securityGroup)) &&
    group.account === account &&
    group.definition.region === region &&
    group.visibleAt <= now &&
    (name === undefined || group.definition.name === name) &&
    (status === undefined || group.status === status) &&
    // Before it has landed a group has no zone and no vSwitch.
    (zone === undefined || (group.landed && group.zone === zone)) &&
    (vSwitch === undefined || (group.landed && group.vSwitch === vSwitch)) &&
    (resourceGroup === undefined || group.definition.resourceGroupId === resourceGroup);
}

function readTagFilter(from: Parameters): { Key: string; Value: string }[] {
  return from.list('Tag', { max: 10 }).map((tag) => ({ Key: tag.requiredText('Key'), Value: tag.text('Value') ?? '' }));
}

function readIds(from: Parameters): string[] | undefined {
  const text = from.text('ContainerGroupIds');
  if (!text) return undefined;
  let ids: unknown;
  try {
    ids = JSON.parse(text);
  } catch {
    ids = undefined;
  }
  if (!Array.isArray(ids) || ids.some((id) => typeof id !== 'string'))
    throw invalid('ContainerGroupIds must be a JSON array of strings.');
  if (ids.length > 20) throw invalid('ContainerGroupIds may hold at most 20 ids.', 'InvalidParameter.LengthExceeded');
  return ids as string[];
}

function readLimit(from: Parameters, fallback: number, max: number): number {
  return from.integer('Limit', { min: 1, max }) ?? fallback;
}

function readSince(from: Parameters, { observedAt }: Caller): number | undefined {
  const seconds = from.integer('SinceSecond', { min: 60, max: 3_600 });
  return seconds === undefined ? undefined : observedAt - seconds * 1_000;
}

function writeToken(number: number): string {
  return Buffer.from(`after:${number}`).toString('base64url');
}

function readToken(token: string | undefined): number {
  if (!token) return -Infinity;
  const match = /^after:(\d+)$/.exec(Buffer.from(token, 'base64url').toString());
  if (!match) throw invalid('NextToken is not one that was given out.');
  return Number(match[1]);
}
