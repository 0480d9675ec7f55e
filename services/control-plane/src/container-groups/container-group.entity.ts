import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row of the read model: what people ask of a container group, made from the events of its stream and nothing else. */
@Entity({ schema: 'fleet', name: 'container_group' })
export class ContainerGroupRecord {
  @PrimaryColumn({ type: 'text', name: 'stream_id' })
  streamId: string;

  /** bigint, as text. */
  @Column({ type: 'bigint', name: 'stream_version' })
  streamVersion: string;

  @Column({ type: 'text', name: 'cluster_id' })
  clusterId: string;

  @Column({ type: 'text' })
  namespace: string;

  @Column({ type: 'text' })
  name: string;

  @Column({ type: 'text', name: 'pod_uid' })
  podUid: string;

  @Column({ type: 'text' })
  life: string;

  @Column({ type: 'text', nullable: true })
  phase: string | null;

  @Column({ type: 'boolean' })
  closed: boolean;

  @Column({ type: 'boolean', name: 'pod_object_gone' })
  podObjectGone: boolean;

  @Column({ type: 'text', name: 'container_group_id', nullable: true })
  containerGroupId: string | null;

  @Column({ type: 'text', name: 'group_status', nullable: true })
  groupStatus: string | null;

  @Column({ type: 'text', name: 'account_id', nullable: true })
  accountId: string | null;

  @Column({ type: 'text', nullable: true })
  region: string | null;

  @Column({ type: 'text', nullable: true })
  zone: string | null;

  @Column({ type: 'text', name: 'v_switch_id', nullable: true })
  vSwitchId: string | null;

  @Column({ type: 'text', nullable: true })
  spec: string | null;

  @Column({ type: 'double precision', nullable: true })
  cpu: number | null;

  @Column({ type: 'double precision', name: 'memory_gib', nullable: true })
  memoryGiB: number | null;

  @Column({ type: 'text', name: 'charge_type', nullable: true })
  chargeType: string | null;

  @Column({ type: 'integer' })
  attempts: number;

  @Column({ type: 'text', nullable: true })
  reason: string | null;

  @Column({ type: 'text', nullable: true })
  message: string | null;

  @Column({ type: 'text', name: 'pod_ip', nullable: true })
  podIp: string | null;

  @Column({ type: 'text', array: true })
  images: string[];

  @Column({ type: 'timestamptz', name: 'requested_at' })
  requestedAt: Date;

  @Column({ type: 'timestamptz', name: 'created_at', nullable: true })
  createdAt: Date | null;

  @Column({ type: 'timestamptz', name: 'landed_at', nullable: true })
  landedAt: Date | null;

  @Column({ type: 'timestamptz', name: 'running_at', nullable: true })
  runningAt: Date | null;

  @Column({ type: 'timestamptz', name: 'stop_requested_at', nullable: true })
  stopRequestedAt: Date | null;

  @Column({ type: 'timestamptz', name: 'ended_at', nullable: true })
  endedAt: Date | null;

  @Column({ type: 'double precision', name: 'ended_group_seconds' })
  endedGroupSeconds: number;

  @Column({ type: 'text', name: 'last_event_type' })
  lastEventType: string;

  @Column({ type: 'timestamptz', name: 'updated_at' })
  updatedAt: Date;
}
