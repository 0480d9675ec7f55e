import type { ContainerGroupRecord } from './container-group.entity.ts';

type ColumnType = 'text' | 'text[]' | 'bigint' | 'integer' | 'boolean' | 'double precision' | 'timestamptz';

/** Columns of the read model's table, with the field of the record that fills each: for statements that write or read many rows at once. */
export const ROW_COLUMNS: readonly {
  readonly field: keyof ContainerGroupRecord;
  readonly column: string;
  readonly type: ColumnType;
}[] = [
  { field: 'streamId', column: 'stream_id', type: 'text' },
  { field: 'streamVersion', column: 'stream_version', type: 'bigint' },
  { field: 'clusterId', column: 'cluster_id', type: 'text' },
  { field: 'namespace', column: 'namespace', type: 'text' },
  { field: 'name', column: 'name', type: 'text' },
  { field: 'podUid', column: 'pod_uid', type: 'text' },
  { field: 'life', column: 'life', type: 'text' },
  { field: 'phase', column: 'phase', type: 'text' },
  { field: 'closed', column: 'closed', type: 'boolean' },
  { field: 'podObjectGone', column: 'pod_object_gone', type: 'boolean' },
  { field: 'containerGroupId', column: 'container_group_id', type: 'text' },
  { field: 'groupStatus', column: 'group_status', type: 'text' },
  { field: 'accountId', column: 'account_id', type: 'text' },
  { field: 'region', column: 'region', type: 'text' },
  { field: 'zone', column: 'zone', type: 'text' },
  { field: 'vSwitchId', column: 'v_switch_id', type: 'text' },
  { field: 'spec', column: 'spec', type: 'text' },
  { field: 'cpu', column: 'cpu', type: 'double precision' },
  { field: 'memoryGiB', column: 'memory_gib', type: 'double precision' },
  { field: 'chargeType', column: 'charge_type', type: 'text' },
  { field: 'attempts', column: 'attempts', type: 'integer' },
  { field: 'reason', column: 'reason', type: 'text' },
  { field: 'message', column: 'message', type: 'text' },
  { field: 'podIp', column: 'pod_ip', type: 'text' },
  { field: 'images', column: 'images', type: 'text[]' },
  { field: 'requestedAt', column: 'requested_at', type: 'timestamptz' },
  { field: 'createdAt', column: 'created_at', type: 'timestamptz' },
  { field: 'landedAt', column: 'landed_at', type: 'timestamptz' },
  { field: 'runningAt', column: 'running_at', type: 'timestamptz' },
  { field: 'stopRequestedAt', column: 'stop_requested_at', type: 'timestamptz' },
  { field: 'endedAt', column: 'ended_at', type: 'timestamptz' },
  { field: 'endedGroupSeconds', column: 'ended_group_seconds', type: 'double precision' },
  { field: 'lastEventType', column: 'last_event_type', type: 'text' },
  { field: 'updatedAt', column: 'updated_at', type: 'timestamptz' },
];

/** A row as `select *` gives it, as a record. */
export function recordOf(row: Readonly<Record<string, unknown>>): ContainerGroupRecord {
  return Object.fromEntries(
    ROW_COLUMNS.map(({ field, column }) => [field, row[column]]),
  ) as unknown as ContainerGroupRecord;
}
