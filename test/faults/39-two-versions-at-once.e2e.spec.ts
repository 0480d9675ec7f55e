/**
 * Fault 39: the build of the last release and today's serve one fleet under five pods a second: old alone, both, old alone, both, new alone, both,
 * and old alone again; nothing is lost, doubled or stuck, and what only a newer version knows is refused by deciders and passed over by readers. Statuses
 * of the old version carry no proof, and are believed for as long as it may speak. At last the operator says that it will not come back, and what pods
 * say is hidden.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { PostgresEventStore } from '#libs/event-store';
import { SeededRandom } from '#libs/runtime';
import { eventually, prepareLastRelease } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet, type Replica } from './support/fleet.ts';
import { atRest, doctor, judge } from './support/judge.ts';
import { Load } from './support/load.ts';
import type { Made } from './support/cluster.ts';

let release: string;
const fleet = useFaultFleet(async () => {
  const { folder } = await prepareLastRelease();
  release = join(folder, 'dist');
  return { replicas: [{ dist: release }], clusters: ['alpha', 'beta'] };
});

it('runs old and new beside each other, and goes back', async () => {
  const load = new Load({ clusters: fleet.clusters, perSecond: 5, random: new SeededRandom(39), livesMs: [0, 8_000] });

  // given the last release at work, and an agent of it in one of the clusters
  const [old] = fleet.replicas as [Replica];
  const beta = fleet.clusters[1]!;
  await beta.agent.stop();
  await fleet.startAgent(beta, {}, { dist: release });
  load.begin();
  await served(load, 40);

  // when the new version starts beside it, which brings the schema forward
  const young = await fleet.startReplica();
  const functions = await functionTexts();
  await served(load, 60);

  // then it tells of clusters and accounts that were there before
  await told('cluster:alpha', 'ClusterImported');
  await told('account:default', 'AccountImported');
  await call(young, 'POST', '/clusters', { id: 'of-the-young' });

  // and is taken away again, so that the old one, which never stopped, has only what the new one wrote
  await young.process.stop();
  await call(old, 'POST', '/clusters', { id: 'of-the-old' });
  await unregister(old, 'of-the-young');
  await served(load, 40);

  // and is given another try, and tells what the old one did meanwhile
  await young.process.start();
  await told('cluster:of-the-old', 'ClusterImported');
  await told('cluster:of-the-young', 'ClusterRegistered', 'JoinTokenIssued', 'ClusterChangedElsewhere');
  await served(load, 40);

  // and an event of a version that neither knows comes to a stream
  const stranger = await startedPod('stranger');
  await appendFutureEvent(stranger);

  // and the old one leaves, and comes back, and the new one is taken away
  await old.process.stop();
  await served(load, 60);
  await old.process.start();
  await served(load, 40);
  await young.process.stop();
  await served(load, 40);
  await load.end();

  // then everybody has what they want, with the old version alone
  const leniency = { notRunning: [stranger.uid], undecidable: [fleet.streamOf(stranger.uid)] };
  await eventually(async () => (await atRest(fleet, leniency)).length === 0, {
    what: 'the old version brings everything to rest',
    deadlineMs: 180_000,
  });
  // and the new one, when it comes to stay, finds nothing else that disagrees, and seals what the old one left
  await young.process.start();
  expect((await doctor(fleet)).filter((finding) => finding.includes('unknown-events'))).toHaveLength(1);
  await judge(fleet, leniency);

  // and the stream with the unknown event was neither decided on nor harmed: its group runs on, and its history is read
  const types = await fleet.eventTypes(stranger.uid);
  expect(types.at(-1)).toBe('WrittenInTheFuture');
  const groups = await fleet.simulator.groupsOf(stranger.uid);
  expect(groups.map(({ status }) => status)).toEqual(['Running']);
  expect(JSON.stringify(await historyOf(stranger))).toContain('WrittenInTheFuture');

  // and its agents have believed what carries no proof, and do so no longer once the old one has been gone for a while
  expect(await believes()).toBe('what anybody writes to its topic');
  await old.process.stop();
  await eventually(
    async () => {
      // The while is over.
      await fleet.database.query(`update fleet.unproven_speaker set seen_at = now() - interval '11 minutes'`);
      const { rows } = await fleet.database.query<{ proven: boolean }>(
        `select bool_and(c.statuses_proven_at > u.seen_at) as proven from fleet.cluster c, fleet.unproven_speaker u`,
      );
      return rows[0]!.proven;
    },
    { what: 'everything was said anew with a proof', deadlineMs: 90_000, everyMs: 1_000 },
  );
  const [alpha] = fleet.clusters;
  await alpha!.agent.stop();
  await alpha!.agent.start();
  await eventually(async () => (await believes()) === 'the control plane alone', {
    what: 'its agent believes the control plane alone',
    deadlineMs: 60_000,
  });
  await startedPod('proven');

  // and nothing was written that the old one cannot read: in this fleet pods are in clear until its operator says that it will not come back
  expect(await storedText(stranger)).toContain('nginx');
  expect(await hidingStreams()).toBe(0);
  await young.process.stop();
  // and no restart of the old one has put an old function back
  expect(await functionTexts()).toEqual(functions);
  const last = await fleet.startReplica({ env: { FLEET_DISPLAY_KEYS: 'on' } });
  await fleet.cluster.agent.restart();
  const command = ['sh', '-c', 'echo canary-39; sleep 3600'];
  const [secretive] = (await fleet.cluster.run(['secretive'], {
    containers: [{ name: 'main', image: 'nginx', command }],
  })) as [Made];
  await fleet.cluster.untilPhase([secretive]);
  expect(await hidingStreams()).toBeGreaterThan(0);
  expect(await storedText(secretive)).not.toContain('canary-39');
  expect(JSON.stringify(await historyOf(secretive))).toContain('canary-39');
  // Pods of before are seen to their end.
  const before = [...fleet.cluster.wanted.values()].filter(({ uid }) => uid !== stranger.uid && uid !== secretive.uid);
  await fleet.cluster.remove([secretive, ...before.slice(0, 3)]);
  await eventually(async () => (await atRest(fleet, leniency)).length === 0, {
    what: 'the new version alone brings everything to rest',
    deadlineMs: 120_000,
  });
  await last.process.stop();
});

async function call(
  replica: Replica,
  method: string,
  path: string,
  body?: unknown,
  ifMatch?: string,
): Promise<Response> {
  const answer = await fetch(`${replica.url}/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(ifMatch !== undefined && { 'if-match': ifMatch }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true);
  return answer;
}

async function unregister(replica: Replica, id: string): Promise<void> {
  const seen = await call(replica, 'GET', `/clusters/${id}`);
  await call(replica, 'DELETE', `/clusters/${id}`, undefined, seen.headers.get('etag') ?? undefined);
}

/** Waits until the stream tells these, and no more. */
async function told(streamId: string, ...types: readonly string[]): Promise<void> {
  await eventually(
    async () => {
      const { rows } = await fleet.database.query<{ type: string }>(
        'select type from es.event where stream_id = $1 order by version',
        [streamId],
      );
      return JSON.stringify(rows.map(({ type }) => type)) === JSON.stringify(types);
    },
    { what: `${streamId} tells ${types.join(', ')}`, deadlineMs: 30_000 },
  );
}

const believes = async (): Promise<unknown> =>
  ((await fleet.cluster.health()) as { readonly believes?: unknown }).believes;

/** Events of a pod as they rest. */
async function storedText({ uid }: Made): Promise<string> {
  const { rows } = await fleet.database.query<{ text: string }>(
    `select string_agg(data::text, ' ') as text from es.event where stream_id = $1`,
    [fleet.streamOf(uid)],
  );
  return rows[0]!.text;
}

/** Streams with events in which something is hidden. */
async function hidingStreams(): Promise<number> {
  const { rows } = await fleet.database.query<{ n: number }>(
    `select count(distinct stream_id)::int as n from es.event where data ? 'hidden'`,
  );
  return rows[0]!.n;
}

async function functionTexts(): Promise<unknown> {
  const { rows } = await fleet.database.query(
    `select p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as text, p.proacl::text as may
       from pg_proc p where p.pronamespace in ('es'::regnamespace, 'fleet'::regnamespace) order by 1`,
  );
  return rows;
}

const historyOf = ({ uid }: Made): Promise<unknown> =>
  fleet.api.call('GET', `/container-groups/${encodeURIComponent(fleet.streamOf(uid))}/history`);

/** Waits until so many more pods were asked for, and the newest of those before runs: the fleet keeps up. */
async function served(load: Load, pods: number): Promise<void> {
  const until = load.made + pods;
  await eventually(() => load.made >= until, { what: `${pods} more pods were asked for`, deadlineMs: 60_000 });
  const probe = await startedPod(`probe-${until}`);
  await fleet.cluster.remove([probe]);
}

async function startedPod(name: string): Promise<Made> {
  const [pod] = (await fleet.cluster.run([name])) as [Made];
  await fleet.cluster.untilPhase([pod]);
  return pod;
}

/** As a version of next year would. */
async function appendFutureEvent({ uid }: Made): Promise<void> {
  const streamId = fleet.streamOf(uid);
  const store = new PostgresEventStore(fleet.database);
  await eventually(
    async () => {
      const events = (await store.loadMany([streamId])).get(streamId)!;
      const metadata = { actor: 'test', decidedAt: new Date().toISOString() };
      const event = { eventId: randomUUID(), type: 'WrittenInTheFuture', schemaVersion: 7, data: {}, metadata };
      const [result] = await store.append([{ streamId, expected: events.length, events: [event] }]);
      return result!.ok;
    },
    { what: 'an event of the future is appended', deadlineMs: 20_000 },
  );
}
