import type { KubernetesApi, PodObject, Reflector } from '#libs/kubernetes';
import type { Messaging } from '#libs/messaging';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock, Ids, Random } from '#libs/runtime';
import type { AgentConfig } from './config.ts';
import type { PodEvents } from './events/pod-events.ts';
import type { LinkedParts } from './fleet-link.ts';
import type { AllAsides } from './health/all-asides.ts';
import { Commands } from './inventory/commands.ts';
import { Inventories } from './inventory/inventories.ts';
import { PodIntents } from './pods/pod-intents.ts';
import type { ProfileSource } from './profile/profile-source.ts';
import { IntentPublisher } from './publish/intent-publisher.ts';
import { ClusterObjects } from './resolve/cluster-objects.ts';
import { Resolver } from './resolve/resolver.ts';
import type { Session } from './session/session.ts';
import { ClusterTopicReader } from './status/cluster-topic-reader.ts';
import type { StatusBook } from './status/status-book.ts';
import type { StatusWriter } from './status/status-writer.ts';

const FIRST_INVENTORY_WITHIN_MS = 30_000;

interface LinkedOptions {
  readonly config: AgentConfig;
  readonly api: KubernetesApi;
  readonly pods: Reflector<PodObject>;
  readonly events: PodEvents;
  readonly profile: ProfileSource;
  readonly book: StatusBook;
  readonly writer: StatusWriter;
  readonly session: Session;
  readonly asides: AllAsides;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What speaks to the fleet, and listens to it, joined with what knows the cluster. `caughtUp`: the cluster's topic was read to its end. */
export function linkedParts(options: LinkedOptions, messaging: Messaging, caughtUp: Promise<void>): LinkedParts {
  const { config, api, pods, profile, book, writer, session, asides, clock, logger } = options;
  const publisher = new IntentPublisher({ ...options, messaging });
  const resolver = new Resolver({
    api,
    objects: new ClusterObjects(api, clock),
    profile: () => profile.current,
    clusterDns: config.clusterDns,
    clusterDomain: config.clusterDomain,
    logger,
  });
  const intents = new PodIntents({ ...options, resolver, publisher, aside: asides.of('intents') });
  const inventories = new Inventories({
    ...options,
    publisher,
    view: {
      revision: (uid) => book.kept(uid),
      waitingFor: (pod) => intents.waitingFor(pod),
      onTopic: () => book.uids(),
    },
    periodSeconds: config.inventorySeconds,
    aside: asides.of('inventories'),
    // The revisions of a former start come with the topic; without them everything would be asked for again.
    ready: firstOf(
      Promise.all([caughtUp, pods.synced()]).then(() => writer.compare()),
      FIRST_INVENTORY_WITHIN_MS,
      clock,
    ),
  });
  const commands = new Commands({
    ...options,
    intents,
    inventories,
    nameOf: (uid) => book.newest(uid),
    nodeName: config.nodeName,
    aside: asides.of('rechecks'),
  });
  const reader = new ClusterTopicReader({
    ...options,
    onCommand: (command) => commands.onCommand(command),
    askSession: () => session.askAgain(),
    onLost: () => inventories.sendNow(),
    aside: asides.of('messages'),
  });
  return { publisher, intents, inventories, commands, reader };
}

/** Waits for the first of both, and leaves no timer behind that would keep the process alive. */
async function firstOf(event: Promise<unknown>, withinMs: number, clock: Clock): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([event, clock.sleep(withinMs, over.signal)]);
  } finally {
    over.abort();
  }
}
