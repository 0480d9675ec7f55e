import { createSecretKey } from 'node:crypto';
import { commandKey, topics } from '#libs/contracts';
import { MAC_HEADER, withMac, type MacKey, type OutgoingMessage } from '#libs/messaging';
import type { Random } from '#libs/runtime';
import type { LogRecord } from '../parts/log.ts';
import { FLEET, type World } from '../world.ts';
import { between, oneOf, type FaultKind } from './fault.ts';

const EVERY_MS = 700;

/** What a forger has: the topic of a cluster and that of another, and whatever was said on them. */
interface Forger {
  readonly world: World;
  readonly random: Random;
  readonly clusterId: string;
  readonly topic: string;
  /** Pods of the cluster of which something was said, or is to be. */
  readonly uids: readonly string[];
  /** True words of the cluster, and of another one. */
  readonly said: readonly LogRecord[];
  readonly elsewhere: readonly LogRecord[];
}

type Forgery = (forger: Forger) => OutgoingMessage | undefined;

const HUGE = Number.MAX_SAFE_INTEGER;

/** It fails the pod, and lets its object go, whatever comes after it. */
function lie({ random, uids }: Forger): OutgoingMessage {
  const podUid = oneOf(random, uids);
  const message = {
    kind: 'PodStatus',
    schemaVersion: 1,
    podUid,
    namespace: 'default',
    name: `pod-${podUid.slice(4)}`,
    revision: HUGE - between(random, 0, 3),
    status: { phase: 'Failed', reason: 'Forged', conditions: [], containerStatuses: [] },
    annotations: {},
    finalize: random.next() < 0.7,
    events: [],
  };
  return { key: podUid, value: Buffer.from(JSON.stringify(message)) };
}

const tombstone = ({ random, uids }: Forger): OutgoingMessage => ({ key: oneOf(random, uids), value: null });

/** Whatever is asked after it would be older. */
const command = ({ random, uids }: Forger): OutgoingMessage => ({
  key: commandKey('Recheck'),
  value: Buffer.from(
    JSON.stringify({ kind: 'Command', name: 'Recheck', at: '9999-01-01T00:00:00.000Z', uids: [oneOf(random, uids)] }),
  ),
});

/** A key that nobody has given, under a name that somebody may have. */
const ownKey = ({ world, clusterId, random }: Forger): MacKey => ({
  kid: random.next() < 0.5 ? (world.statusKeys.newest(clusterId)?.kid ?? 'k') : `forged${between(random, 0, 1_000)}`,
  key: createSecretKey(Buffer.alloc(32, between(random, 1, 255))),
});

const signed =
  (forgery: Forgery): Forgery =>
  (forger) => {
    const message = forgery(forger);
    return message && withMac(forger.topic, message, ownKey(forger));
  };

const macOf = ({ headers }: LogRecord): Record<string, string> => ({ [MAC_HEADER]: headers[MAC_HEADER] ?? '' });

const FORGERIES: readonly Forgery[] = [
  lie,
  tombstone,
  command,
  signed(lie),
  signed(tombstone),
  signed(command),
  // A true proof with other words, and true words about another pod or of another cluster.
  (forger) =>
    forger.said.length === 0 ? undefined : { ...lie(forger), headers: macOf(oneOf(forger.random, forger.said)) },
  (forger) =>
    forger.said.length === 0
      ? undefined
      : { ...oneOf(forger.random, forger.said), key: oneOf(forger.random, forger.uids) },
  ({ random, elsewhere, uids }) =>
    elsewhere.length === 0 ? undefined : { ...oneOf(random, elsewhere), key: oneOf(random, uids) },
  ({ random, elsewhere }) => (elsewhere.length === 0 ? undefined : oneOf(random, elsewhere)),
  // Old words again, as they were said.
  ({ random, said }) => (said.length === 0 ? undefined : oneOf(random, said)),
];

export const forgerFaults: readonly FaultKind[] = [
  {
    name: 'forged statuses',
    inject: (world, fault, random) => {
      const index = between(random, 0, world.agentCount);
      const { clusterId } = world.agent(index);
      const { clusterId: otherId } = world.agent((index + 1) % world.agentCount);
      const topic = topics(FLEET).cluster(clusterId);
      const uids = [...world.pods.values()].filter((pod) => pod.clusterId === clusterId).map(({ uid }) => uid);
      if (uids.length === 0) return;
      const truths = (id: string): readonly LogRecord[] =>
        (world.log.topic(topics(FLEET).cluster(id))?.partitions[0]?.records ?? []).filter(
          (record) => record.headers[MAC_HEADER] !== undefined && record.value !== null,
        );
      for (let ms = 0; ms < fault.forMs; ms += EVERY_MS)
        world.scheduler.after(ms, () => {
          const log = world.log.topic(topic);
          const elsewhere = otherId === clusterId ? [] : truths(otherId);
          const forger = { world, random, clusterId, topic, uids, said: truths(clusterId), elsewhere };
          const message = oneOf(random, FORGERIES)(forger);
          if (!log || !message) return;
          world.hit(fault.kind);
          world.log.append(log, [message]);
        });
    },
  },
  {
    name: 'status keys end',
    inject: (world, fault, random) => {
      const member = world.agent(between(random, 0, world.agentCount));
      // As with a join with a new key: what the agent of before was given is worth nothing any more.
      world.statusKeys.end(member.clusterId);
      world.hit(fault.kind);
      member.restartAfterMs = between(random, 200, 5_000);
      member.process.crash();
    },
  },
];
