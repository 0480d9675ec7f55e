/** Promises that hold once faults have stopped and everything has come to rest. */
import { MAX_INVENTORY_CHUNKS, topics } from '#libs/contracts';
import {
  finalize,
  hasGivenUp,
  isClosed,
  openGroupIds,
  parseStreamId,
  streamIdOf,
  wantsPlacement,
  type ContainerGroupState,
} from '#libs/domain';
import { checkMac } from '#libs/messaging';
import { podStatusOf, type PodObject, type Stored } from '#libs/kubernetes';
import { MAX_DEFERRED } from '../../../services/control-plane/src/intake/ports.ts';
import { podStatusRecord } from '../../../services/control-plane/src/publish/pod-status.ts';
import type { Pod } from '../parts/api-server.ts';
import type { LogRecord } from '../parts/log.ts';
import { FLEET, type World } from '../world.ts';
import { isOpen, podOf } from './on-the-way.ts';
import { Violation } from './violation.ts';

const OVERDUE_MS = 120_000;

/** What still has to happen before the end can be judged; undefined = nothing. Never says more than one thing. */
export function unsettled(world: World): string | undefined {
  const { database } = world;
  const [effect] = database.tables.effects.all();
  if (effect) {
    const overdue = database.tables.now() - effect.runAt;
    return `effect ${effect.kind} ${effect.key} of ${effect.streamId}, due for ${Math.round(overdue / 1000)} s, claimed ${effect.attempts} times`;
  }
  for (const streamId of database.tables.parked.keys()) return `${streamId} is parked`;
  for (const group of world.cloud.groups()) {
    if (world.strangers.has(group.containerGroupId)) continue;
    if (['Scheduling', 'Pending', 'Terminating'].includes(group.status))
      return `group ${group.containerGroupId} of ${podOf(group)} is ${group.status}`;
    if (isOpen(group) && !isCurrent(world, group.containerGroupId, podOf(group)))
      return `group ${group.containerGroupId} of ${podOf(group)} is open and not the current one of its stream`;
  }
  const live = new Set([...world.cloud.groups()].filter(isOpen).map(({ containerGroupId }) => containerGroupId));
  for (const [streamId, state] of world.streams.states) {
    for (const id of openGroupIds(state))
      if (!live.has(id)) return `${streamId} takes ${id} for open, the cloud does not`;
  }
  for (const api of world.apis) {
    for (const pod of api.values()) {
      const why = unsettledPod(world, api.clusterId, pod);
      if (why !== undefined) return why;
    }
  }
  for (const [streamId, state] of world.streams.states) {
    const ids = parseStreamId(streamId);
    const api = world.apis.find(({ clusterId }) => clusterId === ids?.clusterId);
    if (ids && api?.get(ids.podUid)) continue;
    if (!isClosed(state) || !state.podObjectGone) return `${streamId} has no pod, and is not history`;
    // A late writer's word goes with one of the next inventories.
    if (ids && api && !world.lostTombstones.has(ids.podUid) && saidLast(world, api.clusterId, ids.podUid))
      return `${streamId} is history, and its topic holds a status and no tombstone`;
  }
  for (const id of world.strangers) if (!world.orphans.rows.has(id)) return `orphan ${id} was not noticed`;
  return unread(world);
}

/** Messages that intake has not read, and events that were not published. */
function unread(world: World): string | undefined {
  const { database, log } = world;
  const { intents } = topics(FLEET);
  const offsets = [...database.tables.inbox.values()];
  for (const [index, partition] of (log.topic(intents)?.partitions ?? []).entries()) {
    const offset = offsets.find((row) => row.topic === intents && row.partition === index)?.offset;
    if (partition.end > 0 && offset !== BigInt(partition.end)) return `partition ${index} of the intents is not read`;
  }
  const published = Number(database.tables.subscriptions.get('publish')?.at.position ?? 0);
  return published < database.log.length ? `${database.log.length - published} events are not published` : undefined;
}

function unsettledPod(world: World, clusterId: string, pod: Pod): string | undefined {
  const { uid, deletionTimestamp } = pod.metadata;
  const streamId = streamIdOf(clusterId, uid);
  const state = world.streams.states.get(streamId);
  if (!state) return `pod ${uid} has no stream`;
  if (deletionTimestamp !== undefined)
    return `pod ${uid} waits for its removal (${state.stop ? 'stopped' : 'not stopped'})`;
  if (state.stop) return `pod ${uid} is there, and its stream was told to stop`;
  if (wantsPlacement(state)) return `pod ${uid} waits for a placement`;
  const [shows, wanted] = [shown(pod.status), shown(podStatusOf(state))];
  // A crash loop never rests: its newest status may be on its way.
  if (world.pods.get(uid)?.kind === 'crash-loop')
    return shows.phase === wanted.phase
      ? undefined
      : `pod ${uid} shows ${shows.phase}, its stream says ${wanted.phase}`;
  const differs = Object.keys(wanted).find((field) => shows[field] !== wanted[field]);
  if (differs !== undefined) return `pod ${uid} shows ${differs} ${shows[differs]}, its stream says ${wanted[differs]}`;
  // One that was lost comes again with one of the next inventories.
  return saysItsEvents(world, clusterId, uid)
    ? undefined
    : `the last published status of ${uid} is not what its events say`;
}

/** What people look at in a status, each as text. */
function shown(status: Stored<PodObject>['status']): Readonly<Record<string, string>> {
  const lists = ['containerStatuses', 'initContainerStatuses'].flatMap(
    (list) => (status?.[list] ?? []) as ContainerShown[],
  );
  const conditions = (status?.conditions ?? []) as readonly { readonly type: string; readonly status: string }[];
  return {
    phase: String(status?.phase),
    reason: String(status?.['reason']),
    podIP: String(status?.['podIP']),
    ready: String(conditions.find(({ type }) => type === 'Ready')?.status),
    containers: lists
      .map(({ name, restartCount, ready, state = {} }) => [name, restartCount, ready, ...Object.keys(state)].join(' '))
      .join(', '),
  };
}

interface ContainerShown {
  readonly name: string;
  readonly restartCount: number;
  readonly ready: boolean;
  readonly state?: object;
}

const isCurrent = (world: World, id: string, streamId: string): boolean => {
  const group = world.streams.states.get(streamId)?.group;
  return group?.containerGroupId === id && group.open;
};

/** Throws the first promise that is broken. Call it when nothing is unsettled. */
export function atTheEnd(world: World, stage: 'running' | 'deleted'): void {
  eachPodHasItsEnd(world, stage);
  cloudAndStreamsAgree(world);
  statusesAreTheLast(world);
  everyGroupIsAccountedFor(world);
  nothingIsOverdue(world);
  nothingIsMisunderstood(world);
  tablesAreBounded(world);
}

/** O1 and O9. */
function eachPodHasItsEnd(world: World, stage: 'running' | 'deleted'): void {
  for (const api of world.apis) {
    for (const pod of api.values()) {
      const { uid } = pod.metadata;
      if (stage === 'deleted') throw new Violation('O1', `pod ${uid} was deleted and is still there`);
      const state = world.streams.states.get(streamIdOf(api.clusterId, uid)) as ContainerGroupState;
      const alive = openGroupIds(state).length === 1;
      if (!alive && !state.end && !hasGivenUp(state))
        throw new Violation('O1', `pod ${uid} has neither a group nor an end, and waits for nothing`);
    }
  }
  for (const [streamId, state] of world.streams.states) {
    if (state.stop && !finalize(state)) throw new Violation('O1', `${streamId} was stopped and is not finalized`);
  }
}

/** O2. */
function cloudAndStreamsAgree(world: World): void {
  const open = new Map([...world.cloud.groups()].filter(isOpen).map((group) => [group.containerGroupId, podOf(group)]));
  for (const [streamId, state] of world.streams.states) {
    for (const id of openGroupIds(state)) {
      if (open.get(id) !== streamId) throw new Violation('O2', `${streamId} takes ${id} for open, the cloud does not`);
      open.delete(id);
    }
  }
  for (const id of world.strangers) {
    if (!open.delete(id)) throw new Violation('O2', `${id} belongs to nobody we know, and was deleted`);
    if (!world.orphans.rows.has(id)) throw new Violation('O2', `${id} belongs to nobody we know, and nobody is told`);
  }
  for (const [id, streamId] of open) throw new Violation('O2', `${id} of ${streamId} is open, and no stream knows it`);
}

/** What the control plane has said to the cluster: what anybody else wrote there counts for nobody. */
function recordsOf(world: World, clusterId: string): readonly LogRecord[] {
  const topic = topics(FLEET).cluster(clusterId);
  const records = world.log.topic(topic)?.partitions[0]?.records ?? [];
  return records.filter((record) => {
    let kid = provenBy.get(record);
    if (kid === undefined) provenBy.set(record, (kid = kidOf(world, clusterId, topic, record)));
    return kid !== '' && world.statusKeys.isGiven(clusterId, kid);
  });
}

/** Under which key each record is proven; '' = none. Records never change. */
const provenBy = new WeakMap<LogRecord, string>();

function kidOf(world: World, clusterId: string, topic: string, record: LogRecord): string {
  let kid = '';
  const verdict = checkMac(topic, record, (name) => world.statusKeys.keyOf(clusterId, (kid = name))?.key);
  return verdict === 'valid' ? kid : '';
}

/** What compaction would leave of the pod on its cluster's topic: nothing, after a tombstone. */
function saidLast(world: World, clusterId: string, podUid: string): Uint8Array | null | undefined {
  return recordsOf(world, clusterId).findLast(({ key }) => key === podUid)?.value;
}

/** The status of the highest revision on the topic is that of all its events. */
function saysItsEvents(world: World, clusterId: string, podUid: string): boolean {
  const best = highest(recordsOf(world, clusterId), podUid);
  const wanted = podStatusRecord(world.eventsOf(streamIdOf(clusterId, podUid)));
  return !best || !wanted?.value || Buffer.from(best).equals(Buffer.from(wanted.value));
}

/** O5: what was published last is what the events say; that the API server shows it, {@link unsettledPod} has waited for. */
function statusesAreTheLast(world: World): void {
  for (const api of world.apis) {
    const newest = new Map(recordsOf(world, api.clusterId).map((record) => [record.key, record.value]));
    for (const [streamId, state] of world.streams.states) {
      const ids = parseStreamId(streamId);
      if (ids?.clusterId !== api.clusterId) continue;
      const { podUid } = ids;
      const said = newest.get(podUid);
      if (isClosed(state) && state.podObjectGone) {
        if (said && !world.lostTombstones.has(podUid))
          throw new Violation('O5', `${streamId} is history, and its topic holds a status and no tombstone`);
        continue;
      }
      // A crash loop never rests: its newest status may be on its way.
      if (world.pods.get(podUid)?.kind === 'crash-loop') continue;
      if (!saysItsEvents(world, api.clusterId, podUid))
        throw new Violation('O5', `${streamId}: the last published status is not what its events say`);
    }
  }
}

/** What an agent goes by: the highest revision, whatever a slow publisher said after it. */
function highest(records: readonly LogRecord[], podUid: string): Uint8Array | undefined {
  let best: { readonly value: Uint8Array; readonly revision: number } | undefined;
  for (const { key, value } of records) {
    if (key !== podUid || value === null) continue;
    const { revision } = JSON.parse(Buffer.from(value).toString()) as { revision: number };
    if (!best || revision >= best.revision) best = { value, revision };
  }
  return best?.value;
}

/** O10: every group that ever cost something is named by an event of its stream. */
function everyGroupIsAccountedFor(world: World): void {
  const named = new Set<string>();
  for (const { data } of world.database.log) {
    if (typeof data['containerGroupId'] === 'string') named.add(data['containerGroupId']);
  }
  for (const group of world.cloud.groups()) {
    const { containerGroupId } = group;
    if (
      named.has(containerGroupId) ||
      world.strangers.has(containerGroupId) ||
      world.vanished.has(containerGroupId) ||
      world.forgets
    )
      continue;
    // One that a late call made and that ended by itself may be gone before anybody looks.
    if (world.oneGroup.late.has(containerGroupId) && !isOpen(group)) continue;
    throw new Violation('O10', `${containerGroupId} of ${podOf(group)} was paid for, and no event names it`);
  }
}

function nothingIsOverdue(world: World): void {
  for (const { kind, streamId, runAt } of world.database.tables.effects.all()) {
    if (world.database.tables.now() - runAt > OVERDUE_MS)
      throw new Violation('O1', `${kind} of ${streamId} is overdue`);
  }
}

function nothingIsMisunderstood(world: World): void {
  for (const { key, reason, partition, offset } of world.quarantine.rows.values()) {
    if (world.noise.has(`${partition}/${offset}`)) continue;
    // What an agent said of a stream that could not be read meanwhile was put aside, as it should be; inventories brought it back.
    if (world.unreadable.has(key)) continue;
    throw new Violation('O1', `a message of ${key} was put aside: ${reason}`);
  }
  for (const row of world.database.tables.subscriptions.values())
    for (const streamId of row.parked.keys()) throw new Violation('O5', `${streamId} is parked for a subscription`);
}

/** Messages of one sender that are put aside one by one: so many at once, and in a second; each reader of a partition counts anew. */
const ASIDE = { atOnce: 50, perSecond: 5, readers: 2 };

/** O13: whatever a cluster sends, what is kept of it has its bounds. */
function tablesAreBounded(world: World): void {
  const bounded = (table: string, sizes: ReadonlyMap<string, number>, most: number): void => {
    for (const [sender, rows] of sizes)
      if (rows > most) throw new Violation('O13', `${table} of ${sender || 'strangers'}: ${rows}, over ${most}`);
  };
  const { quarantine, deferrals, inventories } = world;
  const seconds = world.noiseMs / 1000;
  if (seconds > 0)
    bounded('quarantine', quarantine.sizes(), ASIDE.readers * (ASIDE.atOnce + Math.ceil(seconds) * ASIDE.perSecond));
  bounded('deferred intents', deferrals.sizes(), MAX_DEFERRED + 1);
  const sets = new Map<string, number>();
  for (const [name, parts] of inventories.underWay) {
    const clusterId = name.slice(0, name.indexOf('/'));
    sets.set(clusterId, (sets.get(clusterId) ?? 0) + 1);
    bounded('parts of an inventory', new Map([[clusterId, parts.size]]), MAX_INVENTORY_CHUNKS);
  }
  bounded('inventories under way', sets, 1);
}
