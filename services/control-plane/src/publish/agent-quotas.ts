import type { Pool } from 'pg';
import { MessagingError, type Messaging, type ProduceQuotas } from '#libs/messaging';
import type { AsideItem, Logger, Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { agentOf, principalOf } from '../clusters/principal.ts';
import type { ControlPlaneConfig } from '../config.ts';
import { isNobodysFault } from '../clusters/whose-fault.ts';
import type { Parts } from '../parts.ts';
import type { RunningRole } from '../running-role.ts';
import { SetAside } from '../streams/set-aside.ts';
import { SupervisedLoop } from '../supervised-loop.ts';

const EVERY_MS = 60_000;

/** Bytes a second; `undefined`: none. */
type Quota = number | undefined;

/** One agent: what it should have, and what we set last. */
interface Agent {
  readonly id: string;
  readonly generation: number;
  readonly wanted: Quota;
  readonly ours: Quota;
}

/** The quota at Kafka of one key of a cluster's agent. */
interface Held {
  readonly generation: number;
  readonly bytes: number;
}

/** What agents may write at each broker: the fleet's setting, and nothing where agents have no names at Kafka. */
export function quotaOfAgents({ securityForAgents, produceBytesForAgents }: ControlPlaneConfig['kafka']): Quota {
  return securityForAgents === 'oauthbearer' && produceBytesForAgents > 0 ? produceBytesForAgents : undefined;
}

/**
 * What to do about the quota of one agent, and what is ours then. `ours`: what we set last. A quota that is there and not ours is somebody's decision
 * about this cluster, and is left alone; one that was taken away is set again.
 */
export function settled(quota: { readonly wanted: Quota; readonly ours: Quota; readonly found: Quota }): {
  readonly ours: Quota;
  readonly write: boolean;
} {
  const { wanted, ours, found } = quota;
  if (found !== undefined && found !== ours && found !== wanted) return { ours: undefined, write: false };
  return { ours: wanted, write: found !== wanted };
}

/**
 * Has Kafka bound what agents write: intake has to read a message to know whose it is, the broker does not. Where Kafka does not let the control plane,
 * that is said once, and the budgets of intake hold alone; `fleet doctor` says what is missing. An agent whose quota cannot be set is set aside, and the
 * others have theirs.
 */
export class AgentQuotas {
  private readonly pool: Pool;
  private readonly messaging: Messaging;
  private readonly fleet: string;
  private readonly wanted: Quota;
  private readonly logger: Logger;
  private readonly aside: SetAside<Agent>;
  private refused = false;

  constructor(parts: {
    readonly pool: Pool;
    readonly messaging: Messaging;
    readonly fleet: string;
    /** Bytes a second of each agent at each broker; `undefined`: those that were set are taken away. */
    readonly wanted: number | undefined;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.pool = parts.pool;
    this.messaging = parts.messaging;
    this.fleet = parts.fleet;
    this.wanted = parts.wanted;
    this.logger = parts.logger;
    this.aside = new SetAside({
      ...parts,
      loop: 'quotas',
      isTrouble: (error) => isNobodysFault(error) || isNotAllowed(error),
    });
  }

  /** Brings the quotas of all agents, or of one, to what they should be; returns how many were changed. Repeating it is harmless. */
  async settle(clusterId?: string): Promise<number> {
    const quotas = this.messaging.produceQuotas();
    const rows = await this.rows(clusterId);
    if (clusterId === undefined) this.forgetAllBut(rows);
    if (quotas === undefined || rows.length === 0) return 0;
    try {
      const held = clusterId === undefined ? await this.heldByAll(quotas) : await this.heldByNewest(quotas, rows);
      let changed = 0;
      // One after the other: they are requests to one broker.
      for (const agent of rows)
        await this.aside.each(
          [agent],
          ({ id }) => id,
          async () => {
            if (await this.settleAgent(quotas, held.get(agent.id) ?? [], agent)) changed += 1;
          },
        );
      this.refused = false;
      return changed;
    } catch (error) {
      if (!isNotAllowed(error)) throw error;
      if (!this.refused)
        this.logger.warn(
          'Kafka does not let the control plane set quotas of agents; the budgets of intake hold alone',
          {
            error,
          },
        );
      this.refused = true;
      return 0;
    }
  }

  /** Clusters whose agents' quotas could not be set. */
  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }

  /** Milliseconds until one of them is tried again; undefined when none waits. */
  dueInMs(): number | undefined {
    return this.aside.dueInMs();
  }

  /** The same for one agent that comes or goes, which must not depend on it: what fails is tried again by the loop. */
  async settleOne(clusterId: string): Promise<void> {
    await this.settle(clusterId).catch((error: unknown) =>
      this.logger.warn('set the quota of an agent failed; trying on', { clusterId, error }),
    );
  }

  /** Those that have left meanwhile need nothing any more. */
  private forgetAllBut(agents: readonly Agent[]): void {
    const there = new Set(agents.map(({ id }) => id));
    for (const { id } of this.aside.due()) if (!there.has(id)) this.aside.forget(id);
  }

  /** Whether its quota was changed. */
  private async settleAgent(quotas: ProduceQuotas, held: readonly Held[], agent: Agent): Promise<boolean> {
    const { id, generation, wanted, ours } = agent;
    const own = held.find((each) => each.generation === generation)?.bytes;
    const former = held.filter((each) => each.generation < generation);
    // An operator's decision about the cluster holds for its next key, too.
    const theirs = former.find(({ bytes }) => wanted !== undefined && bytes !== ours && bytes !== wanted)?.bytes;
    const found = own ?? theirs;
    const next = settled({ wanted, ours, found });
    const bytes = next.write ? next.ours : found;
    const changes = bytes !== own;
    if (changes) {
      await quotas.set(principalOf(this.fleet, id, generation), bytes);
      this.logger.info('set the quota of an agent done', { clusterId: id, bytesPerSecond: bytes ?? 'none' });
    }
    for (const each of former) await quotas.set(principalOf(this.fleet, id, each.generation), undefined);
    // After it: whoever dies in between finds what is wanted, and takes it for ours.
    if (next.ours !== ours)
      await this.pool.query('update fleet.cluster set produce_quota = $2 where id = $1', [id, next.ours ?? null]);
    return changes;
  }

  /** Every quota of an agent of this fleet, by cluster. */
  private async heldByAll(quotas: ProduceQuotas): Promise<ReadonlyMap<string, readonly Held[]>> {
    const held = new Map<string, Held[]>();
    for (const [principal, bytes] of (await quotas.read()).own) {
      const agent = agentOf(this.fleet, principal);
      if (agent) held.set(agent.clusterId, [...(held.get(agent.clusterId) ?? []), { ...agent, bytes }]);
    }
    return held;
  }

  /** Those of the newest two keys: an agent that comes does not wait for what all others have. Older ones the loop finds. */
  private async heldByNewest(
    quotas: ProduceQuotas,
    agents: readonly Agent[],
  ): Promise<ReadonlyMap<string, readonly Held[]>> {
    const held = new Map<string, Held[]>();
    for (const { id, generation: newest } of agents)
      for (const generation of newest === 0 ? [newest] : [newest, newest - 1]) {
        const bytes = await quotas.of(principalOf(this.fleet, id, generation));
        if (bytes !== undefined) held.set(id, [...(held.get(id) ?? []), { generation, bytes }]);
      }
    return held;
  }

  /** Agents that should have a quota, and those that have one of ours and should not. */
  private async rows(clusterId: string | undefined): Promise<readonly Agent[]> {
    const { rows } = await this.pool.query<{
      id: string;
      key_generation: number;
      gone: boolean;
      produce_quota: string | null;
    }>(
      `select id, key_generation, unregistered_at is not null as gone, produce_quota from fleet.cluster
        where ($1::text is null or id = $1)
          and (produce_quota is not null or ($2 and joined_at is not null and unregistered_at is null)) order by id`,
      [clusterId ?? null, this.wanted !== undefined],
    );
    return rows.map(({ id, key_generation, gone, produce_quota }) => ({
      id,
      generation: key_generation,
      wanted: gone ? undefined : this.wanted,
      ours: produce_quota === null ? undefined : Number(produce_quota),
    }));
  }
}

/** Kafka does not let the control plane set any. */
const isNotAllowed = (error: unknown): boolean =>
  error instanceof MessagingError && (error.code === 'refused' || error.code === 'unsupported');

/** Sets quotas that are missing: a setting that changed, brokers that were lost with their data, somebody who removed one. */
export function startQuotaKeeper(
  parts: Pick<Parts, 'clock' | 'random' | 'logger' | 'metrics'> & {
    readonly quotas: Pick<AgentQuotas, 'settle' | 'setAside' | 'dueInMs'>;
  },
): RunningRole {
  const { quotas, clock, random, logger, metrics } = parts;
  const step = async (): Promise<number> => {
    await quotas.settle();
    return Math.min(quotas.dueInMs() ?? EVERY_MS, EVERY_MS);
  };
  const loop = new SupervisedLoop({ name: 'quotas', clock, random, logger, metrics, idleMs: EVERY_MS, step });
  loop.start();
  // A broker that is away is told by messaging itself.
  return { stop: () => loop.stop(), trouble: () => undefined, setAside: () => quotas.setAside() };
}
