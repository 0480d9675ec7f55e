import { asSqlClient, isTrouble } from '#libs/event-store';
import type { StreamFacts } from './facts.ts';
import { failedCheck, ORACLE_IDS, type Finding, type OracleId, type Where } from './finding.ts';
import { listClouds } from './gather-cloud.ts';
import { cloudFacts } from './cloud-facts.ts';
import {
  clustersOf,
  databaseNow,
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
import { cloudAndStreamsAgree, whyNoEvidence, type CloudFacts } from './oracles/o2-cloud.ts';
import { attemptsFollowEachOther, oneOpenGroupEach } from './oracles/o3-one-open.ts';
import { streamIsDenseAndUnchanged } from './oracles/o4-streams.ts';
import { readModelIsWhole, rowEqualsItsEvents, rowsEqualTheirEvents } from './oracles/o5-read-models.ts';
import { callsStayWithinQuota, slowedLanes } from './oracles/o6-quota.ts';
import { streamHoldsNoSecret } from './oracles/o7-secrets.ts';
import { causesComeFirst } from './oracles/o8-causes.ts';
import { inventoriesAndStreamsAgree, readersKeepUp, whySilent } from './oracles/o9-inventories.ts';
import { clustersStayWithinBudget } from './oracles/o14-senders.ts';
import type { Patient } from './patient.ts';
import { inSnapshot } from './snapshot.ts';
import { Survey } from './survey.ts';

export interface Examination {
  /** Seen twice. */
  readonly findings: readonly Finding[];
  /** What could not be judged, and why. Not a finding, and no health either. */
  readonly unchecked: readonly { readonly oracle: OracleId; readonly why: string }[];
  /** What each oracle looked at. */
  readonly looked: readonly { readonly oracle: OracleId; readonly at: string }[];
}

interface LookOptions {
  readonly only: ReadonlySet<OracleId>;
  readonly choice: StreamChoice;
  /** Told what is done, for an operator who waits. */
  readonly progress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One look at a live fleet. Reads only. Throws when PostgreSQL does not answer; a check that fails is a finding, and the others are made. */
export async function look(patient: Patient, options: LookOptions): Promise<Examination> {
  return new Look(patient, options, await databaseNow(patient.pool)).all();
}

class Look {
  private readonly patient: Patient;
  private readonly options: LookOptions;
  private readonly now: number;
  private readonly findings: Finding[] = [];
  private readonly unchecked: { oracle: OracleId; why: string }[] = [];
  private readonly looked: { oracle: OracleId; at: string }[] = [];

  constructor(patient: Patient, options: LookOptions, now: number) {
    this.patient = patient;
    this.options = options;
    this.now = now;
  }

  async all(): Promise<Examination> {
    const { patient } = this;
    const { signal } = this.options;
    // The cloud first: what is made while the streams are read is then in the streams, not only in the cloud.
    const listed = this.has('O2', 'O3', 'O10') ? await listClouds({ ...patient, ...(signal && { signal }) }) : [];
    const { survey, unreadable } = await this.streams();
    await this.check('O1', () => this.work());
    await this.check('O4', () => this.chain());
    if (this.has('O2', 'O3', 'O10')) {
      const times = this.has('O10');
      await this.cloud(await cloudFacts(patient, listed, survey, { unreadable, times }), survey);
    }
    await this.check('O5', () => this.readModels());
    await this.check('O6', () => this.quotas(survey));
    await this.check('O9', () => this.inventories(survey));
    await this.check('O15', () => this.accounts());
    await this.check('O14', () => this.senders());
    return {
      findings: this.findings.sort(inOrder),
      unchecked: this.unchecked,
      looked: this.looked.sort(inOrder),
    };
  }

  private has(...oracles: readonly OracleId[]): boolean {
    return oracles.some((oracle) => this.options.only.has(oracle));
  }

  /** Nothing, where the oracle was not chosen. */
  private async check(oracle: OracleId, work: () => void | Promise<void>, where?: Where): Promise<void> {
    if (!this.has(oracle)) return;
    try {
      await work();
    } catch (error) {
      if (isTrouble(error)) throw error;
      this.findings.push(failedCheck(oracle, error, where));
    }
  }

  private found(findings: readonly Finding[]): void {
    this.findings.push(...findings);
  }

  /** Judges each stream by itself, and remembers what the oracles of the whole fleet need. */
  private async streams(): Promise<{ readonly survey: Survey; readonly unreadable: ReadonlySet<string> }> {
    const { pool, canaries } = this.patient;
    const { choice, progress, signal } = this.options;
    const perStream: readonly [OracleId, (facts: StreamFacts) => readonly Finding[]][] = [
      ['O1', intentsAreAccountedFor],
      ['O3', attemptsFollowEachOther],
      ['O4', streamIsDenseAndUnchanged],
      ['O5', rowEqualsItsEvents],
      ['O7', (facts) => streamHoldsNoSecret(facts, canaries)],
      ['O8', causesComeFirst],
      ['O10', ledgerEqualsLifetimes],
    ];
    const judges = perStream.filter(([oracle]) => this.has(oracle));
    const survey = new Survey(this.now);
    const unreadable = new Set<string>();
    const wanted: StreamChoice = judges.length > 0 || this.has('O6') ? choice : { kind: 'open', also: [] };
    for await (const page of streamsOf(pool, wanted, signal)) {
      for (const { streamId, error } of page.unreadable) {
        unreadable.add(streamId);
        this.findings.push(failedCheck('O4', error, { stream: streamId }));
      }
      for (const facts of page.facts) {
        const where = { stream: facts.streamId };
        this.remember(survey, facts);
        for (const [oracle, judge] of judges) await this.check(oracle, () => this.found(judge(facts)), where);
      }
      if (survey.streams > 0 && survey.streams % 10_000 === 0) progress?.(`${survey.streams} streams read`);
    }
    const scope = wanted.kind === 'all' ? 'all' : 'the open';
    for (const [oracle] of judges)
      this.looked.push({ oracle, at: `${scope} ${survey.streams} streams with ${survey.events} events` });
    return { survey, unreadable };
  }

  /** Whichever oracles were chosen: what cannot be surveyed is missing from all that they say of the fleet. */
  private remember(survey: Survey, facts: StreamFacts): void {
    try {
      survey.add(facts);
    } catch (error) {
      if (isTrouble(error)) throw error;
      this.findings.push(failedCheck('O4', error, { stream: facts.streamId }));
    }
  }

  private async work(): Promise<void> {
    this.found(workIsNotOverdue(await overdueWork(this.patient.pool, this.now), this.now));
    this.looked.push({ oracle: 'O1', at: 'rows of es.effect and es.timer that were due two minutes ago' });
  }

  private async chain(): Promise<void> {
    const chain = await this.patient.chain?.(this.options.signal);
    if (!chain) return;
    // An event that was changed does not have its digest either: said once.
    const said = new Set(this.findings.map(({ kind, where }) => `${where.stream} ${kind}`));
    this.found(
      chain.findings.filter(
        ({ kind, where }) => !said.has(`${where.stream} ${kind.replace('chain-changed-event', 'changed')}`),
      ),
    );
    this.looked.push({ oracle: 'O4', at: chain.looked });
  }

  private async cloud(cloud: CloudFacts, survey: Survey): Promise<void> {
    for (const list of cloud.lists) {
      const why = whyNoEvidence(list, survey.ours);
      const place = `${list.accountId}/${list.region}`;
      for (const oracle of ['O2', 'O3', 'O10'] as const) {
        if (!this.has(oracle)) continue;
        if (why === undefined)
          this.looked.push({ oracle, at: `a complete list of ${list.groups.length} groups in ${place}` });
        else this.unchecked.push({ oracle, why: `${place}: ${why}` });
      }
    }
    if (cloud.lists.length === 0)
      this.looked.push({ oracle: this.has('O2') ? 'O2' : 'O3', at: 'no account or region is in use yet' });
    await this.check('O2', () => this.found(cloudAndStreamsAgree(cloud)));
    await this.check('O3', () => this.found(oneOpenGroupEach(cloud)));
    await this.check('O10', () => {
      const usable = cloud.lists.filter((list) => whyNoEvidence(list, survey.ours) === undefined);
      this.found(
        cloudKnowsTheLifetimes(
          usable.flatMap(({ groups }) => groups),
          survey.lifetimes,
        ),
      );
    });
  }

  private async readModels(): Promise<void> {
    const { pool, projections } = this.patient;
    this.found(readModelIsWhole(await readModelFacts(pool)));
    this.looked.push({ oracle: 'O5', at: 'rows without streams, and the counts of the live view' });
    for (const { name, differences } of projections) {
      if (!differences) continue;
      this.found(rowsEqualTheirEvents(name, await inSnapshot(pool, (client) => differences(asSqlClient(client)))));
      this.looked.push({ oracle: 'O5', at: `rows of ${name}` });
    }
  }

  private async quotas(survey: Survey): Promise<void> {
    const lanes = await lanesOf(this.patient.pool);
    const minutes = survey.calls();
    this.found(callsStayWithinQuota(lanes, minutes));
    const slowed = slowedLanes(lanes, this.now);
    const outcomes = minutes.reduce((sum, { calls }) => sum + calls, 0);
    this.looked.push({
      oracle: 'O6',
      at: `${lanes.length} lanes and ${outcomes} outcomes of creates and deletes recorded in the last hour (calls without an outcome, and reads, leave no trace here)${slowed.length > 0 ? `; ${slowed.join(', ')}` : ''}`,
    });
  }

  private async inventories(survey: Survey): Promise<void> {
    const { pool } = this.patient;
    const clusters = await clustersOf(pool);
    this.found(inventoriesAndStreamsAgree(clusters, survey.open, this.now));
    this.found(readersKeepUp(await readersOf(pool)));
    for (const cluster of clusters) {
      const why = whySilent(cluster, this.now);
      if (why !== undefined) this.unchecked.push({ oracle: 'O9', why: `cluster ${cluster.clusterId}: ${why}` });
    }
    this.looked.push({ oracle: 'O9', at: `last inventories of ${clusters.length} clusters, and how far readers are` });
  }

  private async accounts(): Promise<void> {
    const accounts = await this.patient.accounts?.();
    if (!accounts) return;
    this.found(accountsAreSetUp(accounts));
    this.looked.push({ oracle: 'O15', at: `${accounts.length} accounts` });
  }

  private async senders(): Promise<void> {
    const { pool, quotas } = this.patient;
    const clusters = await clustersOf(pool);
    this.found(clustersStayWithinBudget(await overBudget(pool), this.now));
    this.looked.push({ oracle: 'O14', at: `what waits of ${clusters.length} clusters` });
    const report = await quotas?.(clusters);
    if (report === undefined) return;
    this.found(report.findings);
    if ('looked' in report) this.looked.push({ oracle: 'O14', at: report.looked });
    else this.unchecked.push({ oracle: 'O14', why: report.unchecked });
  }
}

/** In the order of the oracles. */
export function inOrder(a: { readonly oracle: OracleId }, b: { readonly oracle: OracleId }): number {
  return ORACLE_IDS.indexOf(a.oracle) - ORACLE_IDS.indexOf(b.oracle);
}
