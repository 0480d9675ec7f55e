import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { backoffMs, type Clock, type Random } from '#libs/runtime';
import { MessagingError } from '../errors.ts';
import type { TopicSpec } from '../messaging.ts';
import type { LogRange } from '../position.ts';
import type { BrokerWatch } from './broker-watch.ts';
import { explain } from './explain.ts';

const BACKOFF = { baseMs: 200, capMs: 2_000 };
/** How long an operation waits for a broker that is away, milliseconds. */
const PATIENCE_MS = 30_000;

const USER = 'User:';

/** Topics, offsets and ACLs. Operations wait up to 30 s for a broker that is away; each may be repeated without harm. */
export class Administrator {
  private readonly kafka: Kafka;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly watch: BrokerWatch;
  private readonly closing = new AbortController();
  private admin: Promise<Admin> | undefined;

  constructor(kafka: Kafka, clock: Clock, random: Random, watch: BrokerWatch) {
    this.kafka = kafka;
    this.clock = clock;
    this.random = random;
    this.watch = watch;
  }

  /** Names of the topics that were made just now. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<readonly string[]> {
    const made = new Set<string>();
    return this.patiently('make topics', async (admin) => {
      const existing = new Set(await admin.listTopics());
      // One by one: Kafka would not say which of several were there already.
      for (const spec of topics) {
        if (existing.has(spec.name) || made.has(spec.name)) continue;
        const creating = admin.createTopics({
          waitForLeaders: true,
          topics: [
            {
              topic: spec.name,
              numPartitions: spec.partitions,
              replicationFactor: -1,
              configEntries: topicConfig(spec),
            },
          ],
        });
        // "No such topic" is the answer to the question for leaders: it was made a moment ago, and the broker asked has not heard of it yet.
        const created = await creating.catch((error: unknown) => {
          if (explain(error).code !== 'no-topic') throw error;
          return true;
        });
        if (created) made.add(spec.name);
      }
      return [...made];
    });
  }

  deleteTopic(name: string): Promise<void> {
    return this.patiently(`delete topic ${name}`, async (admin) => {
      const existing = await admin.listTopics();
      if (!existing.includes(name)) return;
      await admin.deleteTopics({ topics: [name] }).catch((error: unknown) => {
        if (explain(error).code !== 'no-topic') throw error;
      });
      // This client would keep asking for the metadata of a topic that is gone, and be refused.
      await this.drop();
    });
  }

  grant(
    principal: string,
    topics: { readonly write: readonly string[]; readonly read: readonly string[]; readonly group: string },
  ): Promise<void> {
    const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
    const rule = (resourceType: number, resourceName: string, operation: number, prefixed = false) => ({
      resourceType,
      resourceName,
      resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: `User:${principal}`,
      host: '*',
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    });
    const acl = [
      // Writing to any topic also allows an idempotent producer (Kafka 3.0 and later).
      ...topics.write.map((name) => rule(AclResourceTypes.TOPIC, name, AclOperationTypes.WRITE)),
      ...topics.read.map((name) => rule(AclResourceTypes.TOPIC, name, AclOperationTypes.READ)),
      rule(AclResourceTypes.GROUP, topics.group, AclOperationTypes.READ),
      // Readers without an offset store join a group of their own below this name, see `KafkaConsumer`.
      rule(AclResourceTypes.GROUP, `${topics.group}/`, AclOperationTypes.READ, true),
    ];
    return this.acl(`grant ${principal}`, (admin) => admin.createAcls({ acl }));
  }

  revoke(principal: string): Promise<void> {
    const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
    return this.acl(`revoke ${principal}`, (admin) =>
      admin.deleteAcls({
        filters: [
          {
            principal: `User:${principal}`,
            resourceType: AclResourceTypes.ANY,
            resourcePatternType: ResourcePatternTypes.ANY,
            operation: AclOperationTypes.ANY,
            permissionType: AclPermissionTypes.ANY,
          },
        ],
      }),
    );
  }

  async principalsWithRights(): Promise<readonly string[]> {
    const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
    const principals = new Set<string>();
    await this.acl('list rights', async (admin) => {
      const { resources } = await admin.describeAcls({
        resourceType: AclResourceTypes.ANY,
        resourcePatternType: ResourcePatternTypes.ANY,
        operation: AclOperationTypes.ANY,
        permissionType: AclPermissionTypes.ALLOW,
      });
      for (const { acls } of resources)
        for (const { principal } of acls) if (principal.startsWith(USER)) principals.add(principal.slice(USER.length));
    });
    return [...principals];
  }

  /** Start and end of each partition. Tries once: its callers retry in their own loops. */
  async ranges(topic: string): Promise<ReadonlyMap<number, LogRange>> {
    try {
      const offsets = await (await this.connected()).fetchTopicOffsets(topic);
      return new Map(offsets.map(({ partition, low, high }) => [partition, { start: BigInt(low), end: BigInt(high) }]));
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.drop();
  }

  /** A broker without an authorizer lets everybody do everything: then there is nothing to grant. */
  private acl(what: string, change: (admin: Admin) => Promise<unknown>): Promise<void> {
    return this.patiently(what, async (admin) => {
      await change(admin).catch((error: unknown) => {
        if (explain(error).reason !== 'SECURITY_DISABLED') throw error;
      });
    });
  }

  private async patiently<T>(what: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    const deadline = this.clock.now() + PATIENCE_MS;
    for (let attempt = 1; ; attempt++) {
      if (this.closing.signal.aborted) throw new MessagingError('closed', `${what}: messaging is closed`);
      try {
        const result = await work(await this.connected());
        this.watch.found();
        return result;
      } catch (error) {
        await this.drop();
        const { code, reason } = explain(error);
        if (code !== 'unavailable' || this.clock.now() >= deadline) {
          throw new MessagingError(code, `${what}: ${reason}`, { cause: error });
        }
        this.watch.lost(reason);
        await this.clock.sleep(50 + backoffMs(attempt, BACKOFF, this.random), this.closing.signal);
      }
    }
  }

  private connected(): Promise<Admin> {
    this.admin ??= (async () => {
      const admin = this.kafka.admin();
      await admin.connect();
      return admin;
    })();
    return this.admin;
  }

  private async drop(): Promise<void> {
    const admin = this.admin;
    this.admin = undefined;
    if (!admin) return;
    const enough = new AbortController();
    const gone = admin.then((each) => each.disconnect()).catch(() => undefined);
    await Promise.race([gone, this.clock.sleep(2_000, enough.signal)]);
    enough.abort();
  }
}

function topicConfig({ compacted, retentionMs }: TopicSpec): { name: string; value: string }[] {
  if (compacted) {
    return [
      { name: 'cleanup.policy', value: 'compact' },
      // The segment in use is never compacted; a small fleet would not fill one in a week.
      { name: 'segment.ms', value: '3600000' },
      { name: 'min.cleanable.dirty.ratio', value: '0.2' },
    ];
  }
  return [
    { name: 'cleanup.policy', value: 'delete' },
    // What a producer says could be any time: budgets and retention go by it.
    { name: 'message.timestamp.type', value: 'LogAppendTime' },
    ...(retentionMs === undefined ? [] : [{ name: 'retention.ms', value: String(retentionMs) }]),
  ];
}
