import type { Pool } from 'pg';
import type { EciClients } from '#libs/eci';
import { asSqlClient, isTrouble } from '#libs/event-store';
import type { Clock, Random } from '#libs/runtime';
import type { AccountFacts, CloudList, ClusterFacts, StreamFacts } from './facts.ts';
import { failedCheck, keyOf, ORACLE_IDS, type Finding, type OracleId, type Where } from './finding.ts';
import { listClouds, withDetails } from './gather-cloud.ts';
import {
  clustersOf,
  databaseNow,
  existingStreams,
  lanesOf,
  overBudget,
  overdueWork,
  readersOf,
  readModelFacts,
} from './gather-fleet.ts';
import { streamsOf, type StreamChoice } from './gather-streams.ts';
import { intentsAreAccountedFor, workIsNotOverdue } from './oracles/o1-intents.ts';
import { accountsAreSetUp } from './oracles/o15-accounts.ts';
import { cloudKnowsTheLifetimes, ledgerEqualsLifetimes } from './oracles/o10-cost.ts';
import { cloudAndStreamsAgree, isOpen, streamOfTags, whyNoEvidence, type CloudFacts } from './oracles/o2-cloud.ts';
import { attemptsFollowEachOther, oneOpenGroupEach } from './oracles/o3-one-open.ts';
import { streamIsDenseAndUnchanged } from './oracles/o4-streams.ts';
import { readModelIsWhole, rowEqualsItsEvents, rowsEqualTheirEvents } from './oracles/o5-read-models.ts';
import { callsStayWithinQuota, slowedLanes } from './oracles/o6-quota.ts';
import { streamHoldsNoSecret, type Canaries } from './oracles/o7-secrets.ts';
import { causesComeFirst } from './oracles/o8-causes.ts';
import { inventoriesAndStreamsAgree, readersKeepUp, whySilent } from './oracles/o9-inventories.ts';
import { clustersStayWithinBudget } from './oracles/o14-senders.ts';
import type { QuotaReport } from './quotas-at-kafka.ts';
import { inSnapshot } from './snapshot.ts';
import type { Projection } from '../streams/projection.ts';
import { Survey } from './survey.ts';
import type { ChainReport } from './verify-chain.ts';

/** What the doctor talks to. */
export interface Patient {
  readonly pool: Pool;
  readonly clients: EciClients;
  /** Value of the fleet's tag. */
  readonly fleet: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Secrets of this fleet's own configuration, looked for where they should not be. */
  readonly canaries: Canaries;
  /** What is kept of events in tables. */
  readonly projections: readonly Projection[];
  /** Verifies the chain of seals over the log; absent: only digests are checked. */
  readonly chain?: (signal?: AbortSignal) => Promise<ChainReport>;
  /** What Kafka lets the agents of these clusters write; absent: only the budgets of intake are looked at. */
  readonly quotas?: (clusters: readonly Pick<ClusterFacts, 'clusterId' | 'keyGeneration'>[]) => Promise<QuotaReport>;
  /** How accounts are set up; absent: nothing is said of them. */
  readonly accounts?: () => Promise<readonly AccountFacts[]>;
}

export interface ExamineOptions {
  /** Default: all. */
  readonly only?: readonly OracleId[];
  /** Between the first look and the one that confirms it; default 5 s. */
  readonly quietMs?: number;
  /** Told what is done, for an operator who waits. */
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface Examination {
  /** Seen twice. */
  readonly findings: readonly Finding[];
  /** What could not be judged, and why. Not a finding, and no health either. */
  readonly unchecked: readonly { readonly oracle: OracleId; readonly why: string }[];
  /** What each oracle looked at. */
  readonly looked: readonly { readonly oracle: OracleId; readonly at: string }[];
}

/** Groups whose times are compared with the cloud's, for each place. */
const TIMES = 200;

/**
 * Looks at a live fleet with the chosen oracles, and once more at whatever disagreed: what moves is not a finding. Reads only. Throws when
 * PostgreSQL does not answer; a cloud that does not is said in `unchecked`. A check that fails is a finding, and the others are made.
 */
export async function examine(patient: Patient, options: ExamineOptions = {}): Promise<Examination> {
  const only = new Set(options.only ?? ORACLE_IDS);
  const first = await look(patient, only, { kind: 'all' }, options);
  if (first.findings.length === 0 || options.signal?.aborted === true) return first;
  options.progress?.(`${first.findings.length} suspicions; a second look follows`);
  await patient.clock.sleep(options.quietMs ?? 5_000, options.signal);
  const suspects = new Set(first.findings.flatMap(({ where }) => where.stream ?? []));
  const again = new Set(first.findings.map(({ oracle }) => oracle));
  const second = await look(patient, again, { kind: 'open', also: [...suspects] }, options);
  const confirmed = new Set(second.findings.map(keyOf));
  return {
    ...first,
    findings: first.findings.filter((finding) => confirmed.has(keyOf(finding))).sort(inOrder),
    unchecked: first.unchecked,
  };
}

async function look(
  patient: Patient,
  only: ReadonlySet<OracleId>,
  choice: StreamChoice,
  { progress, signal }: ExamineOptions,
): Promise<Examination> {
  const { pool, canaries } = patient;
  const findings: Finding[] = [];
  const unchecked: { oracle: OracleId; why: string }[] = [];
  const looked: { oracle: OracleId; at: string }[] = [];
  const has = (...oracles: OracleId[]): boolean => oracles.some((oracle) => only.has(oracle));
  const now = await databaseNow(pool);
  const check = async (oracle: OracleId, work: () => void | Promise<void>, where?: Where): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (isTrouble(error)) throw error;
      findings.push(failedCheck(oracle, error, where));
    }
  };

  const perStream: readonly [OracleId, (facts: StreamFacts) => readonly Finding[]][] = [
    ['O1', intentsAreAccountedFor],
    ['O3', attemptsFollowEachOther],
    ['O4', streamIsDenseAndUnchanged],
    ['O5', rowEqualsItsEvents],
    ['O7', (facts) => streamHoldsNoSecret(facts, canaries)],
    ['O8', causesComeFirst],
    ['O10', ledgerEqualsLifetimes],
  ];
  const judges = perStream.filter(([oracle]) => has(oracle));
  // The cloud first: what is made while the streams are read is then in the streams, not only in the cloud.
  const listed = has('O2', 'O3', 'O10') ? await listClouds({ ...patient, ...(signal && { signal }) }) : [];
  const survey = new Survey(now);
  const unreadable = new Set<string>();
  const wanted: StreamChoice = judges.length > 0 || has('O6') ? choice : { kind: 'open', also: [] };
  for await (const page of streamsOf(pool, wanted, signal)) {
    for (const { streamId, error } of page.unreadable) {
      unreadable.add(streamId);
      findings.push(failedCheck('O4', error, { stream: streamId }));
    }
    for (const facts of page.facts) {
      const where = { stream: facts.streamId };
      await check('O4', () => survey.add(facts), where);
      for (const [oracle, judge] of judges) await check(oracle, () => void findings.push(...judge(facts)), where);
    }
    if (survey.streams > 0 && survey.streams % 10_000 === 0) progress?.(`${survey.streams} streams read`);
  }
  const scope = wanted.kind === 'all' ? 'all' : 'the open';
  for (const [oracle] of judges)
    looked.push({ oracle, at: `${scope} ${survey.streams} streams with ${survey.events} events` });

  if (has('O1'))
    await check('O1', async () => {
      const rows = await overdueWork(pool, now);
      findings.push(...workIsNotOverdue(rows, now));
      looked.push({ oracle: 'O1', at: 'rows of es.effect and es.timer that were due two minutes ago' });
    });
  const { chain: verify } = patient;
  if (has('O4') && verify)
    await check('O4', async () => {
      const chain = await verify(signal);
      // An event that was changed does not have its digest either: said once.
      const said = new Set(findings.map(({ kind, where }) => `${where.stream} ${kind}`));
      findings.push(
        ...chain.findings.filter(
          ({ kind, where }) => !said.has(`${where.stream} ${kind.replace('chain-changed-event', 'changed')}`),
        ),
      );
      looked.push({ oracle: 'O4', at: chain.looked });
    });
  if (has('O2', 'O3', 'O10')) {
    const cloud = await cloudFacts(patient, listed, survey, { unreadable, times: only.has('O10') });
    for (const list of cloud.lists) {
      const why = whyNoEvidence(list, survey.ours);
      const place = `${list.accountId}/${list.region}`;
      for (const oracle of ['O2', 'O3', 'O10'] as const) {
        if (!has(oracle)) continue;
        if (why === undefined)
          looked.push({ oracle, at: `a complete list of ${list.groups.length} groups in ${place}` });
        else unchecked.push({ oracle, why: `${place}: ${why}` });
      }
    }
    if (cloud.lists.length === 0)
      looked.push({ oracle: has('O2') ? 'O2' : 'O3', at: 'no account or region is in use yet' });
    if (has('O2')) await check('O2', () => void findings.push(...cloudAndStreamsAgree(cloud)));
    if (has('O3')) await check('O3', () => void findings.push(...oneOpenGroupEach(cloud)));
    if (has('O10'))
      await check('O10', () => {
        const usable = cloud.lists.filter((list) => whyNoEvidence(list, survey.ours) === undefined);
        findings.push(
          ...cloudKnowsTheLifetimes(
            usable.flatMap(({ groups }) => groups),
            survey.lifetimes,
          ),
        );
      });
  }
  if (has('O5'))
    await check('O5', async () => {
      findings.push(...readModelIsWhole(await readModelFacts(pool)));
      looked.push({ oracle: 'O5', at: 'rows without streams, and the counts of the live view' });
      for (const { name, differences } of patient.projections) {
        if (!differences) continue;
        const found = await inSnapshot(pool, (client) => differences(asSqlClient(client)));
        findings.push(...rowsEqualTheirEvents(name, found));
        looked.push({ oracle: 'O5', at: `rows of ${name}` });
      }
    });
  if (has('O6'))
    await check('O6', async () => {
      const lanes = await lanesOf(pool);
      const minutes = survey.calls();
      findings.push(...callsStayWithinQuota(lanes, minutes));
      const slowed = slowedLanes(lanes, now);
      looked.push({
        oracle: 'O6',
        at: `${lanes.length} lanes and ${minutes.reduce((sum, { calls }) => sum + calls, 0)} outcomes of creates and deletes recorded in the last hour (calls without an outcome, and reads, leave no trace here)${slowed.length > 0 ? `; ${slowed.join(', ')}` : ''}`,
      });
    });
  if (has('O9'))
    await check('O9', async () => {
      const clusters = await clustersOf(pool);
      findings.push(...inventoriesAndStreamsAgree(clusters, survey.open, now));
      findings.push(...readersKeepUp(await readersOf(pool)));
      for (const cluster of clusters) {
        const why = whySilent(cluster, now);
        if (why !== undefined) unchecked.push({ oracle: 'O9', why: `cluster ${cluster.clusterId}: ${why}` });
      }
      looked.push({ oracle: 'O9', at: `last inventories of ${clusters.length} clusters, and how far readers are` });
    });
  const { accounts: readAccounts } = patient;
  if (has('O15') && readAccounts)
    await check('O15', async () => {
      const accounts = await readAccounts();
      findings.push(...accountsAreSetUp(accounts));
      looked.push({ oracle: 'O15', at: `${accounts.length} accounts` });
    });
  if (has('O14'))
    await check('O14', async () => {
      const clusters = await clustersOf(pool);
      findings.push(...clustersStayWithinBudget(await overBudget(pool), now));
      looked.push({ oracle: 'O14', at: `what waits of ${clusters.length} clusters` });
      const report = await patient.quotas?.(clusters);
      if (report === undefined) return;
      findings.push(...report.findings);
      if ('looked' in report) looked.push({ oracle: 'O14', at: report.looked });
      else unchecked.push({ oracle: 'O14', why: report.unchecked });
    });
  return { findings: findings.sort(inOrder), unchecked, looked: looked.sort(inOrder) };
}

/** Tags of the groups that we do not know, and times of some that we do. Of what belongs to a stream that cannot be read nothing is concluded. */
async function cloudFacts(
  patient: Patient,
  listed: readonly CloudList[],
  survey: Survey,
  { unreadable, times }: { readonly unreadable: ReadonlySet<string>; readonly times: boolean },
): Promise<CloudFacts> {
  const known = new Set(survey.ours.map(({ containerGroupId }) => containerGroupId));
  const lists: CloudList[] = [];
  for (const list of listed) {
    let compared = 0;
    lists.push(
      list.incomplete === undefined
        ? await withDetails(patient, list, (group) => {
            if (isOpen(group) && !known.has(group.containerGroupId)) return true;
            return times && survey.lifetimes.has(group.containerGroupId) && compared++ < TIMES;
          })
        : list,
    );
  }
  const judged = lists.map((list) => ({
    ...list,
    groups: list.groups.filter((group) => !unreadable.has(streamOfTags(group) ?? '')),
  }));
  const named = judged.flatMap(({ groups }) => groups.flatMap((group) => streamOfTags(group) ?? []));
  return {
    lists: judged,
    ours: survey.ours,
    open: survey.open,
    known: await existingStreams(patient.pool, [...new Set(named)]),
  };
}

function inOrder(a: { readonly oracle: OracleId }, b: { readonly oracle: OracleId }): number {
  return ORACLE_IDS.indexOf(a.oracle) - ORACLE_IDS.indexOf(b.oracle);
}
