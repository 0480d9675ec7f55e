import type { Group } from './group.ts';

/** What a group's conditions are about, in the order in which the status action shows them. */
export const CONDITIONS = [
  'PodScheduled',
  'ContainerInstanceCreated',
  'Initialized',
  'ContainersReady',
  'Ready',
] as const;
export type ConditionType = (typeof CONDITIONS)[number];

/** Which of its conditions a group meets now. */
export function conditionsMet({ landed, containers, initContainers }: Group): Readonly<Record<ConditionType, boolean>> {
  const ready = containers.every((run) => run.ready);
  return {
    PodScheduled: landed,
    ContainerInstanceCreated: landed,
    Initialized: landed && initContainers.every((run) => run.current.exitCode === 0),
    ContainersReady: ready,
    Ready: ready,
  };
}

/** To be called after whatever changes a group: notes which conditions have turned. */
export function noteTransitions(group: Group, now: number): void {
  const met = conditionsMet(group);
  for (const type of CONDITIONS) {
    if (met[type] !== (group.transitions[type]?.met ?? false)) group.transitions[type] = { met: met[type], at: now };
  }
}
