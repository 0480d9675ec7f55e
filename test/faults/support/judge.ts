import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from '#libs/testing';
import type { LedgerGroup } from '../../e2e/support/simulator.ts';
import type { FaultFleet } from './fleet.ts';
import { deathCries } from './logs.ts';

const repository = join(import.meta.dirname, '..', '..', '..');
const OVER = ['Succeeded', 'Failed', 'ScheduleFailed', 'Gone'];

/** What a scenario allows beside the rules. */
interface Leniency {
  /** Two groups of one pod may have been open together for a while: a late call of a paused process, ended by the sweep. */
  readonly lateTwins?: boolean;
  /** Pods, by UID, that need not run: their scenario ends otherwise, and checks that itself. */
  readonly notRunning?: readonly string[];
  /** Ids of open groups that belong to nobody, and may stay. */
  readonly strangers?: readonly string[];
  /** The clock of a replica was wrong: lives of groups are told by it, and the doctor says so. */
  readonly wrongClock?: boolean;
  /** Streams that hold events of a newer version; the doctor says so. */
  readonly undecidable?: readonly string[];
}

/**
 * Waits until the fleet has come to rest as it should, and shows what never may be in the meantime: the ledger of the cloud against the
 * streams, against what users want. Then lets `fleet doctor` look.
 */
export async function judge(
  fleet: FaultFleet,
  { deadlineMs = 180_000, ...leniency }: Leniency & { readonly deadlineMs?: number } = {},
): Promise<void> {
  await eventually(
    async () => {
      const broken = await neverBroken(fleet, leniency);
      // What may never be does not go away by waiting.
      if (broken.length > 0) throw new Error(`rules were broken:\n  ${broken.join('\n  ')}`);
      const unsettled = await atRest(fleet, leniency);
      if (unsettled.length === 0) return true;
      throw new Error(`${unsettled.length} things are not settled:\n  ${unsettled.slice(0, 12).join('\n  ')}`);
    },
    { what: 'the fleet is as it should be', deadlineMs, everyMs: 500 },
  );
  await eventually(
    async () => {
      const findings = await doctor(fleet, leniency);
      if (findings.length === 0) return true;
      throw new Error(`it finds:\n  ${findings.join('\n  ')}`);
    },
    { what: 'the doctor finds nothing', deadlineMs: 90_000 },
  );
}

/** Rules that hold at every moment; empty when none was broken. */
export async function neverBroken(fleet: FaultFleet, { lateTwins = false }: Leniency = {}): Promise<string[]> {
  const found: string[] = [];
  const groups = await fleet.simulator.groups();
  if (!lateTwins) found.push(...twins(groups));
  const { tokensWithSeveralGroups } = await fleet.simulator.control<{ tokensWithSeveralGroups: number }>(
    'GET',
    '/ledger',
  );
  if (tokensWithSeveralGroups > 0) found.push(`${tokensWithSeveralGroups} client tokens made several groups`);
  const { rows: gaps } = await fleet.database.query<{ stream_id: string }>(
    `select stream_id from es.event group by stream_id having min(version) <> 1 or max(version) <> count(*)`,
  );
  for (const { stream_id } of gaps) found.push(`the versions of stream ${stream_id} have a gap`);
  for (const process of fleet.processes) {
    if (process.exit !== undefined && process.exit.signal !== 'SIGKILL' && process.exit.code !== 0)
      found.push(`${process.name} ended by itself: ${JSON.stringify(process.exit)}`);
    const [cry] = deathCries(process);
    if (cry !== undefined) found.push(`${process.name} cried: ${cry.text}`);
  }
  return found;
}

/** What is not (yet) as it should be once all is quiet; empty when everything is. */
export async function atRest(fleet: FaultFleet, { notRunning = [], strangers = [] }: Leniency = {}): Promise<string[]> {
  const found: string[] = [];
  const groups = await fleet.simulator.groups();
  const byPod = Map.groupBy(groups, podOf);
  const open = groups.filter(isOpen);
  const current = await currentGroups(fleet);
  for (const cluster of fleet.clusters) {
    const pods = new Map((await cluster.list()).map((pod) => [pod.metadata.uid as string, pod]));
    for (const { name, uid } of cluster.removed.values()) {
      if (pods.has(uid)) found.push(`pod ${cluster.id}/${name} was deleted and is still there`);
      for (const group of byPod.get(`${cluster.id}/${uid}`) ?? [])
        if (isOpen(group)) found.push(`group ${group.containerGroupId} of deleted pod ${cluster.id}/${name} is open`);
    }
    for (const { name, uid } of cluster.wanted.values()) {
      if (notRunning.includes(uid)) continue;
      const pod = pods.get(uid);
      const own = (byPod.get(`${cluster.id}/${uid}`) ?? []).filter(isOpen);
      if (pod === undefined) found.push(`pod ${cluster.id}/${name} is not there any more`);
      else if (pod.status?.phase !== 'Running') found.push(`pod ${cluster.id}/${name} is ${pod.status?.phase}`);
      if (own.length !== 1) found.push(`pod ${cluster.id}/${name} has ${own.length} open groups`);
      else if (pod?.status?.podIP !== own[0]!.ip)
        found.push(`pod ${cluster.id}/${name} says ${pod?.status?.podIP}, its group has ${own[0]!.ip}`);
    }
  }
  for (const group of open)
    if (current.get(podOf(group)) !== group.containerGroupId && !strangers.includes(group.containerGroupId))
      found.push(`open group ${group.containerGroupId} is not the one that the stream of ${podOf(group)} knows`);
  const { rows } = await fleet.database.query<{ kind: string; stream_id: string }>(
    `select kind, stream_id from es.effect where run_at < es.now() - interval '2 minutes' limit 5`,
  );
  for (const { kind, stream_id } of rows) found.push(`effect ${kind} of ${stream_id} is overdue by two minutes`);
  return found;
}

/** The findings of `fleet doctor`. */
export async function doctor(
  fleet: FaultFleet,
  { strangers = [], wrongClock = false, undecidable = [] }: Leniency = {},
): Promise<string[]> {
  const text = await new Promise<string>((resolve, reject) => {
    const main = join(repository, 'dist/services/control-plane/src/command-line/main.js');
    const { PATH, HOME } = process.env;
    execFile(
      process.execPath,
      [main, 'doctor', '--json'],
      { env: { PATH, HOME, ...fleet.commandLineEnvironment }, timeout: 60_000, maxBuffer: 16 * 1024 * 1024 },
      // It exits with 1 when it finds something: what it says counts.
      (error, stdout, stderr) =>
        stdout.trim() === ''
          ? reject(new Error(`doctor said nothing: ${error?.message ?? ''} ${stderr}`))
          : resolve(stdout),
    );
  });
  const { findings } = JSON.parse(text) as { findings: readonly Finding[] };
  return findings
    .filter(({ where }) => !strangers.includes(where.containerGroup ?? ''))
    .filter(({ oracle, kind }) => !(wrongClock && oracle === 'O10' && (kind === 'began' || kind === 'ended')))
    .filter(({ kind, where }) => !(kind === 'unknown-events' && undecidable.includes(where.stream ?? '')))
    .map((finding) => JSON.stringify(finding).slice(0, 500));
}

interface Finding {
  readonly oracle: string;
  readonly kind: string;
  readonly what: string;
  readonly where: { readonly containerGroup?: string; readonly stream?: string };
}

/** Pairs of groups of one pod that were open at the same time. */
function twins(groups: readonly LedgerGroup[]): string[] {
  const found: string[] = [];
  for (const [pod, own] of Map.groupBy(groups, podOf)) {
    const spans = own
      .map((group) => ({ id: group.containerGroupId, from: begun(group), to: ended(group) }))
      .sort((a, b) => a.from - b.from);
    spans.forEach((span, index) => {
      const before = spans[index - 1];
      if (before !== undefined && span.from < before.to)
        found.push(`pod ${pod} had two open groups at once: ${before.id} and ${span.id}`);
    });
  }
  return found;
}

/** The group that each stream knows as its own, by `<cluster>/<pod uid>`. */
async function currentGroups(fleet: FaultFleet): Promise<Map<string, string>> {
  const { rows } = await fleet.database.query<{ pod: string; id: string }>(
    `select distinct on (stream_id) replace(substr(stream_id, 17), ':', '/') as pod, data ->> 'containerGroupId' as id
       from es.event where type in ('ContainerGroupCreated', 'Adopted') order by stream_id, version desc`,
  );
  return new Map(rows.map(({ pod, id }) => [pod, id]));
}

const podOf = ({ tags }: LedgerGroup): string => `${tags['eci-fleet-cluster']}/${tags['eci-fleet-pod-uid']}`;
export const isOpen = ({ status }: LedgerGroup): boolean => !OVER.includes(status);
const begun = ({ history }: LedgerGroup): number => Date.parse(history[0]!.at);
const ended = ({ history }: LedgerGroup): number => {
  const end = history.find(({ status }) => OVER.includes(status));
  return end === undefined ? Infinity : Date.parse(end.at);
};
