import { domainEvent } from '../../streams/stored-events.ts';
import type { CloudGroup, StreamFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** Sums of floating seconds. */
const ROUNDING_SECONDS = 0.01;
/** Between a call and its outcome, and between the end of a group and our sight of it. */
const CLOUD_SECONDS = 120;

/** A group's life as its stream tells it; epoch ms. */
export interface Lifetime {
  readonly containerGroupId: string;
  readonly from: number;
  readonly to?: number;
  /** Never got past scheduling: it is not billed. */
  readonly free: boolean;
}

/**
 * Lives of all groups of a stream, told by its events and by nothing else. A group that was taken for gone and found again has two, the newer one
 * last.
 */
export function lifetimesOf({ events }: Pick<StreamFacts, 'events'>): readonly Lifetime[] {
  const former: Lifetime[] = [];
  const lives = new Map<string, { from: number; to?: number; free: boolean }>();
  const begin = (id: string, from: number): void => {
    const life = lives.get(id);
    if (life && life.to === undefined) return;
    if (life) former.push({ containerGroupId: id, ...life });
    lives.set(id, { from, free: false });
  };
  const end = (id: string | undefined, to: number, free = false): void => {
    const life = id === undefined ? undefined : lives.get(id);
    if (life && life.to === undefined) Object.assign(life, { to, free });
  };
  for (const event of events.map(domainEvent)) {
    const at = Date.parse(event.at);
    switch (event.type) {
      case 'ContainerGroupCreated':
      case 'Adopted':
        begin(event.data.containerGroupId, at);
        break;
      case 'OrphanFound':
        begin(event.data.containerGroupId, timeOf(event.data.createdAt) ?? at);
        break;
      case 'SchedulingFailed':
        end(event.data.containerGroupId, at, true);
        break;
      case 'ContainerGroupSucceeded':
      case 'ContainerGroupFailed':
      case 'ContainerGroupExpired':
      case 'ContainerGroupGone':
        end(event.data.containerGroupId, timeOf(event.data.finishedAt) ?? at);
        break;
      default:
        break;
    }
  }
  return [...former, ...[...lives].map(([containerGroupId, life]) => ({ containerGroupId, ...life }))];
}

/** O10, one stream: the seconds of its row are the lives of its ended groups. */
export function ledgerEqualsLifetimes(facts: StreamFacts): readonly Finding[] {
  const { row, streamId } = facts;
  if (row === undefined || Number(row.streamVersion) > facts.events.length) return [];
  const lives = lifetimesOf({ events: facts.events.slice(0, Number(row.streamVersion)) });
  const seconds = lives
    .filter(({ to, free }) => to !== undefined && !free)
    .reduce((sum, { from, to = from }) => sum + Math.max(0, to - from) / 1000, 0);
  if (Math.abs(seconds - row.endedGroupSeconds) <= ROUNDING_SECONDS) return [];
  return [
    {
      oracle: 'O10',
      kind: 'ledger',
      what: `its row counts ${row.endedGroupSeconds} s of ended groups, its events ${seconds} s`,
      where: { stream: streamId },
      next: 'npm run fleet -- rebuild makes the ledger anew; if it differs again, report it',
    },
  ];
}

/** O10, cloud: a group began and ended when its stream says so, give or take two minutes. */
export function cloudKnowsTheLifetimes(
  groups: readonly CloudGroup[],
  lifetimes: ReadonlyMap<string, Lifetime & { readonly streamId: string }>,
): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { containerGroupId, createdAt, finishedAt } of groups) {
    const life = lifetimes.get(containerGroupId);
    if (!life) continue;
    const compare = (word: string, cloud: number | undefined, ours: number | undefined): void => {
      if (cloud === undefined || ours === undefined || Math.abs(cloud - ours) / 1000 <= CLOUD_SECONDS) return;
      findings.push({
        oracle: 'O10',
        kind: word,
        what: `${word} ${Math.round(Math.abs(cloud - ours) / 1000)} s ${cloud < ours ? 'earlier' : 'later'} in the cloud than in its stream`,
        where: { stream: life.streamId, containerGroup: containerGroupId },
        since: new Date(cloud).toISOString(),
        next: 'a group that was adopted late counts from its adoption; else compare the clocks of the replicas with the cloud\u2019s',
      });
    };
    compare('began', timeOf(createdAt), life.from);
    if (life.to !== undefined && !life.free) compare('ended', timeOf(finishedAt), life.to);
  }
  return findings;
}

function timeOf(value: unknown): number | undefined {
  const at = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? undefined : at;
}
