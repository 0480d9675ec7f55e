import { AlibabaEciClient, CloudAccountUnusable, EciClients, type EciClient } from '#libs/eci';
import { SdkClient, SdkConfig } from '../../../libs/eci/src/sdk.ts';
import type { Process } from '../engine/process.ts';
import type { SimulatedCloud } from './cloud.ts';

interface Params {
  readonly action: string;
  readonly version: string;
}

/** Where a process meant to send a call, epoch ms; default now. */
type SentAt = (process: Process, parameters: ReadonlyMap<string, string>) => number;

/** The SDK with its last step replaced: it makes the request and reads the answer as ever, and the core of the simulator is called in between. */
class SdkOnCore extends SdkClient {
  private readonly parts: {
    readonly cloud: SimulatedCloud;
    readonly process: Process;
    readonly account: string;
    readonly sentAt: SentAt;
  };

  constructor(parts: SdkOnCore['parts']) {
    super(
      new SdkConfig({ accessKeyId: 'id', accessKeySecret: 'secret', endpoint: 'eci.invalid', regionId: 'cn-hangzhou' }),
    );
    this.parts = parts;
  }

  override async callApi(
    params: Params,
    request: { readonly query?: Record<string, string> },
    runtime: { readonly extendsParameters?: { readonly queries?: Record<string, string> } },
  ): Promise<never> {
    const { cloud, process, account, sentAt } = this.parts;
    const query = { ...runtime.extendsParameters?.queries, ...request.query };
    const parameters = new Map(Object.entries(query).map(([name, value]) => [name, String(value)]));
    const meantAt = sentAt(process, parameters);
    const body = await process.call(`cloud.${params.action}`, () =>
      cloud.request({ account, action: params.action, version: params.version, parameters }, meantAt),
    );
    return { headers: {}, statusCode: 200, body } as never;
  }
}

/** Clients of one process: the product's own client over the simulator's own core. */
export class SimulatedEciClients extends EciClients {
  private readonly parts: {
    readonly cloud: SimulatedCloud;
    readonly process: Process;
    readonly accounts: readonly string[];
    readonly sentAt: SentAt;
  };
  private readonly clients = new Map<string, EciClient>();

  constructor(parts: SimulatedEciClients['parts']) {
    super();
    this.parts = parts;
  }

  for(accountId: string, region: string): Promise<EciClient> {
    const { cloud, process, accounts, sentAt } = this.parts;
    if (!accounts.includes(accountId)) {
      return Promise.reject(
        new CloudAccountUnusable('unknown-account', `cloud account ${accountId} is not configured`),
      );
    }
    const name = `${accountId}/${region}`;
    let client = this.clients.get(name);
    if (!client) {
      client = new AlibabaEciClient({
        accountId,
        region,
        endpoint: { host: 'eci.invalid', protocol: 'https' },
        credential: () => Promise.resolve({ accessKeyId: 'simulated-id', accessKeySecret: 'simulated-secret' }),
        connect: () => new SdkOnCore({ cloud, process, account: accountId, sentAt }),
      });
      this.clients.set(name, client);
    }
    return Promise.resolve(client);
  }
}
