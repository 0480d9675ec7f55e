/** What happened to the pod, in commands; and what comes of it, in events. */
import type { ContainerGroupCommand, GroupSnapshot, RefusalClass } from '#libs/domain';
import { NEWEST, placement, runPod, stopPod } from '../../../../libs/domain/spec/samples.ts';

export const GROUP = 'eci-1';
export const wanted = runPod();
export const chosen: ContainerGroupCommand = { type: 'ChoosePlacement', choice: placement(1) };
export const created: ContainerGroupCommand = {
  type: 'RecordCreate',
  attempt: 1,
  outcome: { kind: 'done', containerGroupId: GROUP, requestId: 'r0' },
};
export const inDoubt: ContainerGroupCommand = {
  type: 'RecordCreate',
  attempt: 1,
  outcome: { kind: 'unknown', reason: 'no answer' },
};
export const found: ContainerGroupCommand = { type: 'RecordFound', attempt: 1, containerGroupId: GROUP };
export const seen = (status: GroupSnapshot['status'] = 'Running'): ContainerGroupCommand => ({
  type: 'Observe',
  snapshot: { containerGroupId: GROUP, status },
  knew: NEWEST,
});
export const stopped = stopPod();
export const deleted: ContainerGroupCommand = { type: 'RecordDelete', containerGroupId: GROUP, requestId: 'r0' };
export const gone: ContainerGroupCommand = { type: 'RecordGone', containerGroupId: GROUP, evidence: 'told' };
/** Changes the stream, and nothing that anybody works on. */
export const edited = (sequence: number): ContainerGroupCommand =>
  runPod({ sequence, spec: { 'spec.containers[0].image': 'd1', [`edit ${sequence}`]: 'd' } });

export const refusedBy = (refusalClass: RefusalClass) =>
  ({ kind: 'refused', code: `Code.${refusalClass}`, class: refusalClass, message: 'why' }) as const;
/** The first sight of it. */
export const containersChanged = (status: GroupSnapshot['status'], containerGroupId = GROUP) => ({
  type: 'ContainersChanged' as const,
  data: { containerGroupId, status, containers: [], initContainers: [], conditions: [], cloudEvents: [] },
});
