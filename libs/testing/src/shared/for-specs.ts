import { randomBytes } from 'node:crypto';
import { tokenIssuer, type TokenIssuer } from '../kafka/tokens.ts';
import { KubernetesCluster } from '../kubernetes/cluster.ts';
import { createDatabase, type TestDatabase } from '../postgres/databases.ts';
import { askDesk } from './desk.ts';
import type { SharedRigs } from './rigs.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where spec files ask for the rigs of this run. */
    rigsDesk: string;
  }
}

/** A database of this run's server with today's schema, empty, for one spec file or test; about 50 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { adminUrl, template } = await shared('postgres');
  return createDatabase(adminUrl, { template });
}

/** A database of this run's server with nothing in it. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabase((await shared('postgres')).adminUrl);
}

export interface KafkaOfTheRun {
  /** Plain listener, super user. */
  readonly brokers: string[];
  /** Listener that takes tokens. Undefined when KAFKA_BROKERS names a broker that is not ours: start one with `startKafka({ oauth: true })`. */
  readonly oauth: { readonly brokers: string[]; readonly tokens: TokenIssuer; readonly jwksFile: string } | undefined;
}

/** The broker that all spec files of this run share. Never break it: start your own for that. */
export async function sharedKafka(): Promise<KafkaOfTheRun> {
  const { brokers, oauth } = await shared('kafka');
  return {
    brokers: [...brokers],
    oauth: oauth && { brokers: [...oauth.brokers], jwksFile: oauth.jwksFile, tokens: tokenIssuer(oauth.key) },
  };
}

/** A start for topic, group and fleet names that nobody else uses, new at each call: `t3f9c2a1b-`. */
export function topicPrefix(): string {
  return `t${randomBytes(4).toString('hex')}-`;
}

/** The control plane that all spec files of this run share; work in a namespace of your own, and close it in `afterAll`. Never break it. */
export async function sharedKubernetes(): Promise<KubernetesCluster> {
  return new KubernetesCluster(await shared('kubernetes'));
}

async function shared<Name extends keyof SharedRigs>(name: Name): Promise<SharedRigs[Name]> {
  // Imported late: this module is also loaded where no Vitest runs.
  const { inject } = await import('vitest');
  const desk = inject('rigsDesk') as string | undefined;
  if (desk === undefined) {
    throw new Error(
      `the ${name} rig is for *.int.spec.ts and *.e2e.spec.ts, whose Vitest projects run vitest-global-setup.ts`,
    );
  }
  return askDesk(desk, name);
}
