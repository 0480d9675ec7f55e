/** What the views show; the answer of `GET /api/v1/overview`, as far as they use it. */
export interface Overview {
  readonly total: number;
  readonly byLife: Readonly<Record<string, number>>;
  readonly byZone: Readonly<Record<string, number>>;
  readonly byCluster: readonly {
    readonly clusterId: string;
    readonly name: string;
    readonly byLife: Readonly<Record<string, number>>;
  }[];
  /** Newest first. */
  readonly lastEvents: readonly OverviewEvent[];
}

export interface OverviewEvent {
  readonly id: string;
  readonly streamId: string;
  readonly type: string;
  readonly at: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export async function fetchOverview(apiUrl: string): Promise<Overview> {
  const answer = await fetch(`${apiUrl}/api/v1/overview`, { redirect: 'error', signal: AbortSignal.timeout(5_000) });
  if (!answer.ok) throw new Error(`the overview answered ${answer.status}`);
  return (await answer.json()) as Overview;
}

/** States in the order of a life; those with nothing in them are left out. */
const LIVES = [
  'requested',
  'placing',
  'creating',
  'starting',
  'running',
  'parked',
  'deleting',
  'succeeded',
  'failed',
  'expired',
  'rejected',
  'gone',
];

export function countsByLife(
  byLife: Readonly<Record<string, number>>,
): readonly (readonly [life: string, count: number])[] {
  return LIVES.flatMap((life) => (byLife[life] ? [[life, byLife[life]] as const] : []));
}

/** One event as one line: `20:15:03 ContainerGroupLanded demo-1a2b/5f… zone cn-hangzhou-h`, or `… ClusterJoined demo-1a2b`. */
export function lineOf(event: OverviewEvent): string {
  const [, id = '', podUid] = event.streamId.split(':');
  const whose = podUid === undefined ? id : `${id}/${podUid.slice(0, 8)}`;
  const told = detail(event);
  return `${event.at.slice(11, 19)}  ${event.type.padEnd(24)} ${whose}  ${told === id ? '' : told}`.trimEnd();
}

const TELLING = [
  'name',
  'reason',
  'zone',
  'vSwitchId',
  'spec',
  'containerGroupId',
  'status',
  'class',
  'code',
  'gate',
  'evidence',
];

function detail({ data }: OverviewEvent): string {
  const pod = data['pod'] as { namespace?: string; name?: string } | undefined;
  if (pod?.name) return `${pod.namespace}/${pod.name}`;
  return TELLING.flatMap((key) => (typeof data[key] === 'string' ? [`${data[key]}`] : []))
    .slice(0, 3)
    .join(' ');
}
