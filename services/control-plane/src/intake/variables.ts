import { section } from '#libs/configuration';
import { z } from 'zod';
import { DEFAULT_CLUSTER_BUDGET, type ClusterBudget } from './cluster-budgets.ts';

interface IntakeSettings {
  /** What one cluster may send to one process of role intake. */
  readonly clusterBudget: ClusterBudget;
}

export const intake = section({
  variables: {
    FLEET_CLUSTER_MESSAGES: {
      meaning:
        'messages a second that one cluster may send, as each process of role intake counts; a minute of it is saved up; what is over is asked for again',
      default: String(DEFAULT_CLUSTER_BUDGET.messagesPerSecond),
      unit: 'messages a second',
      schema: z.coerce.number().min(1).max(1_000_000),
    },
    FLEET_CLUSTER_BYTES: {
      meaning: '… and bytes a second',
      default: String(DEFAULT_CLUSTER_BUDGET.bytesPerSecond),
      unit: 'bytes a second',
      schema: z.coerce.number().int().min(65_536),
    },
  },
  settings: (v): IntakeSettings => ({
    clusterBudget: { messagesPerSecond: v.FLEET_CLUSTER_MESSAGES, bytesPerSecond: v.FLEET_CLUSTER_BYTES },
  }),
});
