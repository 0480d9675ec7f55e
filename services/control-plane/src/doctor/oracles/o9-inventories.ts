import { streamIdOf } from '#libs/domain';
import type { ClusterFacts, OpenStream, ReaderFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** An inventory is answered within seconds; what it left open must be settled by then. */
const SETTLED_AFTER_MS = 120_000;
/** An agent that is heard of sends an inventory every few minutes. */
const INVENTORY_WITHIN_MS = 15 * 60_000;
/** A session is renewed every few minutes. */
const SILENT_AFTER_MS = 15 * 60_000;

/** Why a cluster cannot be judged; undefined: it can. */
export function whySilent({ renewedAt }: ClusterFacts, now: number): string | undefined {
  if (renewedAt === undefined) return 'its agent has never spoken';
  return now - Date.parse(renewedAt) > SILENT_AFTER_MS ? `its agent is silent since ${renewedAt}` : undefined;
}

/** O9: pods of the last inventory have streams, open streams have pods; clusters whose agent is silent are left out. */
export function inventoriesAndStreamsAgree(
  clusters: readonly ClusterFacts[],
  open: ReadonlyMap<string, OpenStream>,
  now: number,
): readonly Finding[] {
  const findings: Finding[] = [];
  for (const cluster of clusters) {
    if (whySilent(cluster, now) !== undefined) continue;
    const { clusterId, inventory } = cluster;
    if (inventory === undefined || now - Date.parse(inventory.completedAt) > INVENTORY_WITHIN_MS) {
      findings.push({
        oracle: 'O9',
        kind: 'no-inventory',
        what: 'its agent is heard of, but no complete inventory came in the last 15 minutes',
        where: { cluster: clusterId },
        ...(inventory !== undefined && { since: inventory.completedAt }),
        next: 'see that a replica with role intake runs, and what the agent logs about its inventories',
      });
      continue;
    }
    if (now - Date.parse(inventory.completedAt) < SETTLED_AFTER_MS) continue;
    const since = inventory.completedAt;
    for (const pod of inventory.unknownPods)
      findings.push({
        oracle: 'O9',
        kind: 'pod-without-stream',
        what: 'is bound to the virtual node, but no intent of it was accepted',
        where: { cluster: clusterId, pod },
        since,
        next: 'look for it in the quarantine (GET /api/v1/quarantine) and in the agent\u2019s log; the next inventory asks for it again',
      });
    for (const pod of inventory.missingPods) {
      const stream = streamIdOf(clusterId, pod);
      const now = open.get(stream);
      if (!now || now.stopped) continue;
      findings.push({
        oracle: 'O9',
        kind: 'stream-without-pod',
        what: 'is open, but the cluster has no such pod any more',
        where: { stream, cluster: clusterId, pod },
        since,
        next: 'npm run fleet -- holds shows it when the mass-delete guard holds it; else the next inventory (5 minutes) settles it',
      });
    }
  }
  return findings;
}

/** A reader may be behind this long before people notice. */
const BEHIND_SECONDS = 120;

/** O9, published: what is to be said to clusters and feeds is said, and nothing of it is parked. */
export function readersKeepUp(readers: readonly ReaderFacts[]): readonly Finding[] {
  return readers.flatMap(({ name, events, seconds, parkedStreams }): Finding[] => [
    ...(events > 0 && seconds > BEHIND_SECONDS
      ? [
          {
            oracle: 'O9' as const,
            kind: 'behind',
            what: `is ${events} events behind, the first of them ${Math.round(seconds)} s old`,
            where: { place: `reader ${name}` },
            next: 'see that a replica with its role runs, that Kafka answers, and es.horizon_lag() for a transaction that holds all readers',
          },
        ]
      : []),
    ...(parkedStreams > 0
      ? [
          {
            oracle: 'O9' as const,
            kind: 'parked',
            what: `has ${parkedStreams} parked ${parkedStreams === 1 ? 'stream' : 'streams'} whose events it could not handle`,
            where: { place: `reader ${name}` },
            next: 'select * from es.subscription_parked says why; repair the cause and replay them',
          },
        ]
      : []),
  ]);
}
