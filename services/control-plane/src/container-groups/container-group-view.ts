import { z } from 'zod';
import type { ContainerGroupRecord } from './container-group.entity.ts';

const time = z.iso.datetime();

export const LIVES = [
  'requested',
  'placing',
  'creating',
  'starting',
  'running',
  'succeeded',
  'failed',
  'expired',
  'parked',
  'rejected',
  'deleting',
  'gone',
] as const;

export const ContainerGroupView = z
  .object({
    /** Id of its stream: `container_group:<clusterId>:<podUid>`. */
    id: z.string(),
    /** Number of its events. */
    version: z.number().int(),
    clusterId: z.string(),
    namespace: z.string(),
    name: z.string(),
    podUid: z.string(),
    life: z.string(),
    /** Phase of the pod, as its cluster is told. */
    phase: z.string().optional(),
    containerGroupId: z.string().optional(),
    /** As ECI names it. */
    groupStatus: z.string().optional(),
    accountId: z.string().optional(),
    region: z.string().optional(),
    zone: z.string().optional(),
    vSwitchId: z.string().optional(),
    spec: z.string().optional(),
    cpu: z.number().optional(),
    memoryGiB: z.number().optional(),
    chargeType: z.string().optional(),
    attempts: z.number().int(),
    reason: z.string().optional(),
    message: z.string().optional(),
    podIp: z.string().optional(),
    images: z.array(z.string()),
    requestedAt: time,
    createdAt: time.optional(),
    landedAt: time.optional(),
    runningAt: time.optional(),
    stopRequestedAt: time.optional(),
    endedAt: time.optional(),
    /** Life of its container groups, those that are over; add `now - createdAt` for one that is not. */
    endedGroupSeconds: z.number(),
    lastEventType: z.string(),
    updatedAt: time,
  })
  .meta({ id: 'ContainerGroup' });
export type ContainerGroupView = z.infer<typeof ContainerGroupView>;

export function containerGroupView(row: ContainerGroupRecord): ContainerGroupView {
  return withoutNulls({
    id: row.streamId,
    version: Number(row.streamVersion),
    clusterId: row.clusterId,
    namespace: row.namespace,
    name: row.name,
    podUid: row.podUid,
    life: row.life,
    phase: row.phase,
    containerGroupId: row.containerGroupId,
    groupStatus: row.groupStatus,
    accountId: row.accountId,
    region: row.region,
    zone: row.zone,
    vSwitchId: row.vSwitchId,
    spec: row.spec,
    cpu: row.cpu,
    memoryGiB: row.memoryGiB,
    chargeType: row.chargeType,
    attempts: row.attempts,
    reason: row.reason,
    message: row.message,
    podIp: row.podIp,
    images: row.images,
    requestedAt: row.requestedAt.toISOString(),
    createdAt: row.createdAt?.toISOString(),
    landedAt: row.landedAt?.toISOString(),
    runningAt: row.runningAt?.toISOString(),
    stopRequestedAt: row.stopRequestedAt?.toISOString(),
    endedAt: row.endedAt?.toISOString(),
    endedGroupSeconds: row.endedGroupSeconds,
    lastEventType: row.lastEventType,
    updatedAt: row.updatedAt.toISOString(),
  }) as ContainerGroupView;
}

export function withoutNulls<T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null && item !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
