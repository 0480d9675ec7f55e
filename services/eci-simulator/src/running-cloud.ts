import { randomUUID } from 'node:crypto';
import type { Logger } from '#libs/observability';
import { SeededRandom, SystemIds, SystemRandom } from '#libs/runtime';
import { type Call, Cloud, type CloudRecord, type Instant } from './core/cloud.ts';
import type { Reply, WireRequest } from './core/reply.ts';
import type { WireError } from './core/wire-error.ts';
import type { Change, Settings } from './core/settings.ts';
import type { Credential } from './http/signature.ts';
import { Journal } from './journal.ts';
import type { Scenario } from './scenario.ts';
import { SimulatedClock } from './simulated-clock.ts';

type JournalRecord = CloudRecord | { readonly k: 'clock'; readonly simulated: number };

/** For demos and tests; any other key is unknown unless the scenario or the configuration names it. */
export const DEMO_CREDENTIAL: Credential = {
  accountId: 'demo',
  accessKeyId: 'LTAI-eci-simulator',
  accessKeySecret: 'eci-simulator-secret',
};

interface RunningCloudOptions {
  readonly scenario: Scenario;
  /** Keys beside those of the scenario. */
  readonly credentials: readonly Credential[];
  readonly dataDir?: string | undefined;
  /** Whether the ledger keeps values of secrets as they are. */
  readonly keepSecrets: boolean;
  readonly logger: Logger;
}

/** The cloud on a clock that runs, with its journal: what a caller is told has been written down before. */
export class RunningCloud {
  cloud: Cloud;
  readonly credentials = new Map<string, Credential>();
  clock: SimulatedClock;
  private readonly options: RunningCloudOptions;
  private journal: Journal<JournalRecord> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  private constructor(options: RunningCloudOptions) {
    this.options = options;
    this.clock = clockOf(options.scenario);
    this.cloud = this.fresh(options.scenario);
  }

  static async start(options: RunningCloudOptions): Promise<RunningCloud> {
    const running = new RunningCloud(options);
    if (options.dataDir !== undefined) await running.load(options.dataDir);
    running.schedule();
    return running;
  }

  get durable(): boolean {
    return this.journal !== undefined;
  }

  now(): Instant {
    return { simulated: Math.floor(this.clock.now()), real: Date.now() };
  }

  refuse(request: WireRequest, error: WireError): Reply {
    return this.cloud.refuse(request, error, this.now());
  }

  /** `cloud` is the one that received the call: a reset in between leaves it to that. The reply may be given when the promise resolves: what it says is on the disk then. */
  async perform(cloud: Cloud, call: Call): Promise<Reply> {
    const reply = cloud.perform(call, this.now());
    this.schedule();
    await this.save();
    return reply;
  }

  /** Makes everything that is due happen, after the clock or the state was changed from outside. */
  async catchUp(): Promise<void> {
    this.cloud.advanceTo(this.now());
    this.schedule();
    await this.save();
  }

  /** Forgets everything and begins anew, with another scenario if one is given. */
  async reset(scenario: Scenario = this.options.scenario): Promise<void> {
    this.clock = clockOf(scenario);
    this.cloud = this.fresh(scenario);
    this.schedule();
    await this.journal?.rewrite();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.save();
    await this.journal?.close();
  }

  private fresh(scenario: Scenario): Cloud {
    const { seed } = scenario;
    const random = seed === undefined ? new SystemRandom() : new SeededRandom(seed);
    const cloud = new Cloud({
      random,
      // Never seeded: ids of a second run must not meet those in a kept journal.
      ids: new SystemIds(),
      ...(scenario.regions ? { regions: scenario.regions } : {}),
      stock: scenario.stock ?? [],
      settings: (scenario.settings ?? {}) as Change<Settings>,
      recording: this.options.dataDir !== undefined,
      keepSecrets: this.options.keepSecrets,
    });
    for (const { zone, closed } of scenario.zones ?? []) if (closed) cloud.world.closedZones.add(zone);
    for (const { vSwitch, limit } of scenario.ips ?? [])
      cloud.world.vSwitch(vSwitch)?.addresses.setLimit(limit ?? undefined);
    for (const fault of scenario.faults ?? [])
      cloud.faults.add({ ...fault, id: fault.id ?? randomUUID() } as Parameters<Cloud['faults']['add']>[0]);
    for (const rule of scenario.behaviours ?? [])
      cloud.behaviours.add({ ...rule, id: rule.id ?? randomUUID() } as Parameters<Cloud['behaviours']['add']>[0]);
    this.credentials.clear();
    for (const credential of [
      DEMO_CREDENTIAL,
      ...((scenario.credentials ?? []) as Credential[]),
      ...this.options.credentials,
    ])
      this.credentials.set(credential.accessKeyId, credential);
    return cloud;
  }

  private async load(dir: string): Promise<void> {
    const { journal, records } = await Journal.open<JournalRecord>({
      dir,
      all: () => [this.clockRecord(), ...this.cloud.allRecords()],
    });
    this.journal = journal;
    let simulated: number | undefined;
    const ofCloud: CloudRecord[] = [];
    for (const record of records) {
      if (record.k === 'clock') simulated = record.simulated;
      else ofCloud.push(record);
    }
    this.cloud.restore(ofCloud);
    // Time stood still while nothing ran.
    if (simulated !== undefined) this.clock = clockOf(this.options.scenario, simulated);
    this.options.logger.info('restored the state', { records: records.length, groups: this.cloud.counts() });
  }

  private async save(): Promise<void> {
    if (!this.journal) return;
    const records: JournalRecord[] = this.cloud.takeRecords();
    await this.journal.append(records.length > 0 || this.stopped ? [...records, this.clockRecord()] : []);
  }

  private clockRecord(): JournalRecord {
    return { k: 'clock', simulated: this.now().simulated };
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const next = this.cloud.nextDueAt;
    const wait = next === undefined ? undefined : this.clock.realMsUntil(next);
    if (wait === undefined || this.stopped) return;
    this.timer = setTimeout(
      () => {
        this.catchUp().catch((error: unknown) => this.options.logger.error('cannot write the journal', { error }));
      },
      Math.min(wait, 2 ** 31 - 1),
    );
  }
}

/** `resumeAt`: where an earlier run left off. */
function clockOf(scenario: Scenario, resumeAt?: number): SimulatedClock {
  const start = scenario.clock?.start === undefined ? Date.now() : Date.parse(scenario.clock.start);
  return new SimulatedClock(resumeAt ?? start, () => performance.now(), {
    speed: scenario.clock?.speed ?? 1,
    stopped: scenario.clock?.stopped ?? false,
  });
}
