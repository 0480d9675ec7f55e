import type { PodObject, Stored } from '#libs/kubernetes';
import { Violation } from './violation.ts';

type Pod = Stored<PodObject>;

const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed'];
type Statuses = readonly { readonly name: string; readonly restartCount?: number }[];

/**
 * O11: what a watcher sees of a pod goes on. A phase is never lower than it was, an end stays, restarts are not taken back; and while the pod
 * runs it keeps its address, and its readiness unless `mayLoseReadiness`: something of it changed in the cloud, or it is being deleted.
 */
export function goesOn(before: Pod, after: Pod, mayLoseReadiness: boolean): void {
  const back = (what: string): Violation => new Violation('O11', `${after.metadata.uid} ${what}`);
  const [was, is] = [before.status ?? {}, after.status ?? {}];
  const [from, to] = [String(was.phase), String(is.phase)];
  if (PHASES.indexOf(to) < PHASES.indexOf(from) || (isEnd(from) && from !== to))
    throw back(`went from ${from} to ${to}`);
  for (const list of ['containerStatuses', 'initContainerStatuses']) {
    const known = new Map(((was[list] ?? []) as Statuses).map(({ name, restartCount = 0 }) => [name, restartCount]));
    for (const { name, restartCount = 0 } of (is[list] ?? []) as Statuses)
      if (restartCount < (known.get(name) ?? 0))
        throw back(`counted ${known.get(name)} restarts of ${name}, and now ${restartCount}`);
  }
  if (isEnd(to)) return;
  if (was['podIP'] !== undefined && is['podIP'] !== was['podIP'])
    throw back(`had the address ${String(was['podIP'])}, and now ${String(is['podIP'] ?? 'none')}`);
  if (isReady(before) && !isReady(after) && !mayLoseReadiness)
    throw back('is no longer ready, and nothing has happened to it');
}

const isEnd = (phase: string): boolean => phase === 'Succeeded' || phase === 'Failed';

function isReady({ status }: Pod): boolean {
  const conditions = (status?.conditions ?? []) as readonly { readonly type: string; readonly status: string }[];
  return conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
}
