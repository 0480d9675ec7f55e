import { topics } from '#libs/contracts';
import { MessagingError } from '#libs/messaging';
import { FLEET } from '../world.ts';
import { between, oneOf, type FaultKind } from './fault.ts';

const isIntent = (topic: string): boolean => topic === topics(FLEET).intents;
const isStatus = (topic: string): boolean => topic.startsWith(topics(FLEET).cluster('').replace(/\.v1$/, ''));

export const messageFaults: readonly FaultKind[] = [
  {
    name: 'intent lost',
    inject: (world, fault, random) => {
      const chance = 0.1 + random.next() * 0.5;
      world.messageRule(fault.forMs, (topic, { key }) => {
        if (!isIntent(topic) || key.endsWith('/inventory') || random.next() >= chance) return undefined;
        world.hit(fault.kind);
        return [];
      });
    },
  },
  {
    name: 'inventory chunk lost',
    inject: (world, fault, random) => {
      world.messageRule(fault.forMs, (topic, { key }) => {
        if (!isIntent(topic) || !key.endsWith('/inventory') || random.next() >= 0.5) return undefined;
        world.hit(fault.kind);
        return [];
      });
    },
  },
  {
    name: 'status lost',
    inject: (world, fault, random) => {
      const chance = 0.1 + random.next() * 0.3;
      world.messageRule(fault.forMs, (topic, { key, value }) => {
        if (!isStatus(topic) || random.next() >= chance) return undefined;
        world.hit(fault.kind);
        if (value === null) world.lostTombstones.add(key);
        return [];
      });
    },
  },
  {
    name: 'message duplicated',
    inject: (world, fault, random) => {
      const chance = 0.2 + random.next() * 0.5;
      world.messageRule(fault.forMs, (topic, { key }) => {
        // An old inventory is a lie about the present: a broker repeats what is fresh, so it comes at once.
        if ((!isIntent(topic) && !isStatus(topic)) || random.next() >= chance) return undefined;
        world.hit(fault.kind);
        const later = key.endsWith('/inventory') || isStatus(topic) ? 1 : between(random, 1, 60_000);
        return [0, ...Array.from({ length: between(random, 1, 5) }, (_, i) => (i === 0 ? later : 1))];
      });
    },
  },
  {
    name: 'messages reordered across keys',
    inject: (world, fault, random) => {
      const lastOf = new Map<string, number>();
      world.messageRule(fault.forMs, (topic, { key }) => {
        if (!isIntent(topic)) return undefined;
        const { now } = world.scheduler;
        const at = Math.max(now + between(random, 1, 3_000), (lastOf.get(key) ?? 0) + 1);
        lastOf.set(key, at);
        world.hit(fault.kind);
        return [at - now];
      });
    },
  },
  {
    name: 'old messages again',
    inject: (world, fault, random) => {
      const topic = world.log.topic(topics(FLEET).intents);
      const partition = topic && oneOf(random, topic.partitions);
      if (!partition) return;
      const from = between(random, 0, partition.end + 1);
      const again = partition.records.slice(from, from + 12).filter(({ key }) => !key.endsWith('/inventory'));
      for (const record of again) partition.append(record);
      if (again.length > 0) world.hit(fault.kind);
    },
  },
  {
    name: 'log begins anew',
    inject: (world, fault) => {
      world.log.beginAnew();
      world.hit(fault.kind);
    },
  },
  {
    name: 'rebalance',
    inject: (world, fault, random) => {
      for (let i = between(random, 1, 4); i > 0; i--)
        world.scheduler.after(between(random, 0, 5_000), () => world.log.rebalance(`${FLEET}.intake`));
      world.hit(fault.kind);
    },
  },
  {
    name: 'broker away',
    inject: (world, fault, random) => {
      const executed = random.next() < 0.3;
      world.rule(Math.min(fault.forMs, 60_000), (_, call) => {
        if (call !== 'log.publish') return undefined;
        world.hit(fault.kind);
        const error = new MessagingError('unavailable', 'the broker does not answer');
        return executed ? { loseAnswer: error, answerDelayMs: 2_000 } : { refuse: error, answerDelayMs: 2_000 };
      });
    },
  },
];
