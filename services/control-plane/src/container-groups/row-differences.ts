import type { ContainerGroupRecord } from './container-group.entity.ts';
import { ROW_COLUMNS } from './row-columns.ts';

/** Fields in which two rows differ, by the names of their columns. */
export function differences(a: ContainerGroupRecord, b: ContainerGroupRecord): readonly string[] {
  return ROW_COLUMNS.filter(({ field }) => JSON.stringify(a[field]) !== JSON.stringify(b[field])).map(
    ({ column }) => column,
  );
}
