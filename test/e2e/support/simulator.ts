import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEciSimulator, temporaryFolder, type EciSimulatorRig } from '#libs/testing';

/** A group as the simulator's ledger remembers it for ever; what tests compare with. */
export interface LedgerGroup {
  readonly containerGroupId: string;
  readonly name: string;
  readonly clientToken: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly zone: string | null;
  readonly vSwitch: string | null;
  readonly ip: string | null;
  readonly spec: string;
  readonly status: string;
  readonly history: readonly { readonly status: string; readonly at: string }[];
}

/** A request as it came in. */
interface LedgerRequest {
  readonly number: number;
  readonly at: string;
  readonly action: string;
  readonly clientToken: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly outcome?: { readonly status: number; readonly code: string | null; readonly executed: boolean };
}

export interface SimulatorOptions {
  /** Parts of a scenario file beside the short latencies. */
  readonly scenario?: Readonly<Record<string, unknown>>;
  readonly accessKey?: { readonly id: string; readonly secret: string };
  /** Keeps values of secrets in the ledger, for who asserts on them. */
  readonly ledgerSecrets?: boolean;
}

/** Everything takes a fraction of a second, so that a whole life fits into a test. Still long enough for each status to be seen. */
const SHORT_LATENCIES = {
  factor: 1,
  createMs: [20, 60],
  deleteMs: [10, 40],
  describeMs: [5, 20],
  schedulingMs: [100, 200],
  pullingMs: [200, 400],
  pullingCachedMs: [200, 400],
  terminatingMs: [100, 300],
  stopMs: 100,
  restart: { firstMs: 100, baseMs: 300, capMs: 1_000 },
};

/** The cloud of one spec file, as a process of its own, and its control API. */
export class Simulator {
  readonly rig: EciSimulatorRig;

  private constructor(rig: EciSimulatorRig) {
    this.rig = rig;
  }

  static async start({ scenario = {}, accessKey, ledgerSecrets = false }: SimulatorOptions = {}): Promise<Simulator> {
    const folder = temporaryFolder('scenario');
    const file = join(folder.path, 'scenario.json');
    const settings = (scenario['settings'] ?? {}) as Record<string, unknown>;
    await writeFile(
      file,
      JSON.stringify({ ...scenario, settings: { latencies: SHORT_LATENCIES, ...settings }, seed: 1 }),
    );
    const rig = await startEciSimulator({
      env: {
        ECI_SIMULATOR_SCENARIO: file,
        ECI_SIMULATOR_LEDGER_SECRETS: String(ledgerSecrets),
        ...(accessKey === undefined
          ? {}
          : { ECI_SIMULATOR_ACCESS_KEY_ID: accessKey.id, ECI_SIMULATOR_ACCESS_KEY_SECRET: accessKey.secret }),
      },
    });
    return new Simulator(rig);
  }

  get endpoint(): string {
    return this.rig.endpoint;
  }

  /** Asks the control API; anything but 200 throws with what it said. */
  control<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    return this.rig.control<T>(method, path, body);
  }

  /** How many groups a zone can hold at once, for every spec; `null` = no limit. */
  async stock(limits: Readonly<Record<string, number | null>>): Promise<void> {
    await this.control(
      'PUT',
      '/stock',
      Object.entries(limits).map(([zone, capacity]) => ({ zone, capacity })),
    );
  }

  async fault(rule: Readonly<Record<string, unknown>>): Promise<void> {
    await this.control('POST', '/faults', rule);
  }

  /** A rule for groups made from now on. */
  async behave(rule: Readonly<Record<string, unknown>>): Promise<void> {
    await this.control('POST', '/behaviours', rule);
  }

  /** Every group ever made for a pod, oldest first. */
  groupsOf(podUid: string): Promise<readonly LedgerGroup[]> {
    return this.groups({ 'tag.eci-fleet-pod-uid': podUid });
  }

  async groups(filter: Readonly<Record<string, string>> = {}): Promise<readonly LedgerGroup[]> {
    const query = new URLSearchParams({ limit: '5000', ...filter });
    return (await this.control<{ groups: LedgerGroup[] }>('GET', `/ledger/groups?${query}`)).groups;
  }

  async requests(filter: Readonly<Record<string, string>> = {}): Promise<readonly LedgerRequest[]> {
    const query = new URLSearchParams({ limit: '5000', ...filter });
    return (await this.control<{ requests: LedgerRequest[] }>('GET', `/ledger/requests?${query}`)).requests;
  }

  /** The requests that tried to create a group for this pod. */
  async createsOf(podUid: string): Promise<readonly LedgerRequest[]> {
    const requests = await this.requests({ action: 'CreateContainerGroup' });
    return requests.filter(({ parameters }) => tagsOf(parameters)['eci-fleet-pod-uid'] === podUid);
  }

  stop(options: { keepLogs?: boolean }): Promise<void> {
    return this.rig.stop(options);
  }
}

function tagsOf(parameters: Readonly<Record<string, string>>): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    const number = /^Tag\.(\d+)\.Key$/.exec(name)?.[1];
    if (number !== undefined) tags[value] = parameters[`Tag.${number}.Value`] ?? '';
  }
  return tags;
}
