import { startKafka } from '../kafka/start.ts';
import type { TokenIssuerKey } from '../kafka/tokens.ts';
import type { KubernetesConnection } from '../kubernetes/cluster.ts';
import { kubernetesIsPrepared } from '../kubernetes/prepare.ts';
import { startKubernetes } from '../kubernetes/start.ts';
import { createMigratedTemplate } from '../postgres/databases.ts';
import { startPostgres } from '../postgres/start.ts';
import { RigUnavailable } from '../preparing/rig-unavailable.ts';

interface SharedPostgres {
  /** A superuser's URL on the server. */
  readonly adminUrl: string;
  /** Name of the migrated database that spec files clone. */
  readonly template: string;
}

interface SharedKafka {
  readonly brokers: readonly string[];
  /** Absent when KAFKA_BROKERS names a broker that is not ours. */
  readonly oauth?: { readonly brokers: readonly string[]; readonly jwksFile: string; readonly key: TokenIssuerKey };
}

/** What one run shares, by name; plain data that crosses process borders. */
export interface SharedRigs {
  readonly postgres: SharedPostgres;
  readonly kafka: SharedKafka;
  readonly kubernetes: KubernetesConnection;
}

/** Starts each rig when it is first asked for, once, and ends all that were started. DATABASE_URL and KAFKA_BROKERS win over our own. */
export class RigsOfARun {
  readonly #started = new Map<keyof SharedRigs, Promise<unknown>>();
  readonly #ends: ((options: { keepLogs: boolean }) => Promise<void>)[] = [];

  get<Name extends keyof SharedRigs>(name: Name): Promise<SharedRigs[Name]> {
    let rig = this.#started.get(name);
    if (rig === undefined) {
      rig = this.#starters[name]();
      this.#started.set(name, rig);
    }
    return rig as Promise<SharedRigs[Name]>;
  }

  /** Names of what was asked for. */
  get names(): string[] {
    return [...this.#started.keys()];
  }

  async stop(options: { keepLogs: boolean }): Promise<void> {
    await Promise.allSettled(this.#started.values());
    this.#started.clear();
    await Promise.all(this.#ends.splice(0).map((end) => end(options)));
  }

  readonly #starters: { [Name in keyof SharedRigs]: () => Promise<SharedRigs[Name]> } = {
    postgres: async () => {
      const own = process.env['DATABASE_URL'];
      if (own) {
        const template = await createMigratedTemplate(own);
        // Their server outlives the run: what we made there goes.
        this.#ends.push(() => template.drop());
        return { adminUrl: own, template: template.name };
      }
      const server = await startPostgres();
      this.#ends.push((options) => server.stop(options));
      return { adminUrl: server.url, template: (await createMigratedTemplate(server.url)).name };
    },
    kafka: async () => {
      const own = process.env['KAFKA_BROKERS'];
      if (own) return { brokers: own.split(',').map((broker) => broker.trim()) };
      const rig = await startKafka({ oauth: true });
      this.#ends.push((options) => rig.stop(options));
      const { brokers, jwksFile, tokens } = rig.oauth!;
      const { issuer, audience, privateJwk } = tokens;
      return { brokers: rig.brokers, oauth: { brokers, jwksFile, key: { issuer, audience, privateJwk } } };
    },
    kubernetes: async () => {
      if (!(await kubernetesIsPrepared())) {
        // Longer than any hook may take.
        throw new RigUnavailable('The Kubernetes control plane is not built yet: run `npm run rigs` once.');
      }
      const rig = await startKubernetes();
      this.#ends.push((options) => rig.stop(options));
      return rig.cluster.connection;
    },
  };
}
