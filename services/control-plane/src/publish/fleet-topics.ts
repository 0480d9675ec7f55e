import { topics } from '#libs/contracts';
import type { TopicSpec } from '#libs/messaging';
import type { ControlPlaneConfig } from '../config.ts';

const DAY_MS = 86_400_000;

/** The topics that all clusters share. */
export function fleetTopics({ fleet, kafka }: Pick<ControlPlaneConfig, 'fleet' | 'kafka'>): readonly TopicSpec[] {
  const names = topics(fleet);
  return [
    { name: names.intents, partitions: kafka.intentPartitions, retentionMs: DAY_MS },
    { name: names.events, partitions: 12 },
    { name: names.deadLetter, partitions: 3, retentionMs: DAY_MS },
  ];
}
