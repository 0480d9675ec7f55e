import { createHash } from 'node:crypto';
import { cutText, type PodStatusMessage } from '#libs/contracts';
import {
  isFinalStatus,
  type CloudEvent,
  type ContainerGroupEvent,
  type IgnoredField,
  type RankedVSwitch,
  type RefusalClass,
  type StoredContainerGroupEvent,
} from '#libs/domain';

export type PodEvent = PodStatusMessage['events'][number];
export type StoredEvent = StoredContainerGroupEvent & { readonly id: string };

const CREATE_REFUSED: Readonly<Record<RefusalClass, string>> = {
  STOCK_OUT: 'NoStock',
  VSWITCH_IP_EXHAUSTED: 'VSwitchIpExhausted',
  QUOTA: 'QuotaFull',
  AUTH: 'Unauthorized',
  NOT_FOUND: 'CreateRefused',
  INVALID_REQUEST: 'CreateRefused',
};
/** The API server takes 1,024 bytes of message. */
const MOST = 1000;

/**
 * The story of a pod as `kubectl describe` shows it, oldest first: one Kubernetes Event for each thing worth telling. Ids are stable: the id of
 * the stream's event, or, for what the cloud itself reported, a digest of (group, reason, message, first time), so that each cloud event is
 * told once, however often its group is observed. Give the stream from its beginning; of a part of it, zones of earlier attempts are unknown.
 */
export function podEventsOf(events: readonly StoredEvent[]): PodEvent[] {
  const story = new Map<string, PodEvent>();
  const places = new Map<number, readonly RankedVSwitch[]>();
  for (const event of events) {
    if (event.type === 'PlacementChosen') places.set(event.data.attempt, event.data.candidates);
    for (const told of tell(event, places)) {
      const before = story.get(told.id);
      // A repeated cloud event counts on; its first mention keeps its place in time.
      story.set(told.id, before ? { ...told, at: before.at } : told);
    }
  }
  return [...story.values()];
}

type Type = ContainerGroupEvent['type'];
type Data<T extends Type> = Extract<ContainerGroupEvent, { type: T }>['data'];
type Line = readonly [type: PodEvent['type'], reason: string, message: string];
/** `tried`: where the attempt of this number was tried, for the middle of a sentence. */
type Teller<T extends Type> = (data: Data<T>, tried: (attempt: number) => string) => Line | undefined;

/** What is told of each event; undefined: nothing, or not in one line. */
const LINES: { readonly [T in Type]: Teller<T> } = {
  PodIntentAccepted: ({ need, lookUpFirst }) => {
    // A pod that could not be mapped needs nothing; its rejection follows and says why.
    if (need.specs.length === 0) return undefined;
    const wish = `${need.specs.join(' or ')} ${need.chargeType} in ${need.region}`;
    const found = lookUpFirst ? '; it already ran, so its container group is looked for' : '';
    return ['Normal', 'PodAccepted', `ECI Fleet runs this pod: ${wish}${found}`];
  },
  PodIntentRefreshed: () => undefined,
  PodChangeRefused: ({ fields }) => [
    'Warning',
    'PodChangeRefused',
    `A running container group keeps what it was made of; not changed: ${fields.join(', ')}`,
  ],
  PodRejected: ({ field, reason }) => ['Warning', 'PodRejected', `${field}: ${reason}`],
  PlacementChosen: ({ attempt, specs, chargeType, candidates }) => [
    'Normal',
    'PlacementChosen',
    `Attempt ${attempt}: ${specs.join(', ')} ${chargeType}, in this order: ${listed(candidates)}`,
  ],
  ContainerGroupCreated: ({ containerGroupId, attempt }) => [
    'Normal',
    'ContainerGroupCreated',
    `ECI accepted container group ${containerGroupId} (attempt ${attempt})`,
  ],
  CreateRefused: ({ attempt, code, class: refusal, message }, tried) => [
    'Warning',
    CREATE_REFUSED[refusal],
    `Attempt ${attempt} was refused, ${refusal} (${code})${tried(attempt)}${message ? `: ${message}` : ''}`,
  ],
  CreateOutcomeUnknown: ({ attempt }) => [
    'Warning',
    'CreateOutcomeUnknown',
    `Attempt ${attempt} had no clear answer; nothing else is created before it is clear`,
  ],
  Adopted: ({ containerGroupId }) => [
    'Normal',
    'ContainerGroupAdopted',
    `Container group ${containerGroupId} was found and belongs to this pod`,
  ],
  ContainerGroupLanded: ({ zone, vSwitchId, spec }) => [
    'Normal',
    'ContainerGroupLanded',
    `Runs in zone ${zone}, vSwitch ${vSwitchId}${spec ? `, as ${spec}` : ''}`,
  ],
  SchedulingFailed: ({ attempt, reason, message }, tried) => [
    'Warning',
    'SchedulingFailed',
    `Attempt ${attempt} was accepted and then found no resources (${reason})${tried(attempt)}${message ? `: ${message}` : ''}`,
  ],
  Parked: ({ message, reason }) => ['Warning', 'Parked', `Waits: ${message || reason}`],
  Unparked: ({ by }) => ['Normal', 'Unparked', `Is tried again (${by})`],
  ContainersChanged: () => undefined,
  ContainerGroupSucceeded: () => ['Normal', 'ContainerGroupSucceeded', 'All containers ended with 0'],
  ContainerGroupFailed: ({ reason, message }) => [
    'Warning',
    'ContainerGroupFailed',
    [reason, message].filter((part) => part !== '').join(': '),
  ],
  SpotReleaseAnnounced: ({ message }) => ['Warning', 'SpotToBeReleased', message],
  ContainerGroupExpired: ({ reason = 'BidFailed', message }) => ['Warning', reason, message],
  StopRequested: ({ reason }) => ['Normal', 'StopRequested', `Is being stopped (${reason})`],
  StopHeld: ({ reason, disruption, hold }) => [
    'Warning',
    'StopHeld',
    `Too many pods of this cluster are stopped at once: the stop (${disruption ? `${reason}, ${disruption}` : reason}) waits for an operator, the containers run on (hold ${hold})`,
  ],
  StopDenied: ({ by }) => ['Normal', 'StopDenied', `${by} keeps this pod running although its stop was asked for`],
  StopReleased: ({ by, outcome, reason }) => {
    const what = outcome === 'stopped' ? 'The held stop happens now' : 'The pod exists: it is not stopped';
    return ['Normal', 'StopReleased', `${what} (${by}${reason ? `: ${reason}` : ''})`];
  },
  PodObjectGone: () => undefined,
  DeleteAccepted: ({ containerGroupId }) => [
    'Normal',
    'DeleteAccepted',
    `ECI is deleting container group ${containerGroupId}`,
  ],
  ContainerGroupGone: ({ containerGroupId, attempt, evidence }) => {
    const what = containerGroupId
      ? `Container group ${containerGroupId}`
      : `The container group of attempt ${attempt ?? '?'}`;
    return ['Normal', 'ContainerGroupGone', `${what} does not exist (${evidence})`];
  },
  OrphanFound: ({ containerGroupId, status }) => [
    'Warning',
    'LateContainerGroup',
    `Container group ${containerGroupId} of an earlier attempt appeared and ${isFinalStatus(status) ? 'has ended' : 'is deleted'}`,
  ],
};

function tell(event: StoredEvent, places: ReadonlyMap<number, readonly RankedVSwitch[]>): PodEvent[] {
  const { id, at } = event;
  if (event.type === 'Unknown') return [];
  if (event.type === 'ContainersChanged')
    return event.data.cloudEvents.map((cloud) => relayed(event.data.containerGroupId, cloud, at));
  const line = (LINES[event.type] as Teller<Type>)(event.data, (attempt) => tried(places, attempt));
  if (!line) return [];
  const [type, reason, message] = line;
  const told: PodEvent = { id, type, reason, message: cut(message), at };
  return event.type === 'PodIntentAccepted' ? [told, ...ignoredOf(id, at, event.data.ignored ?? [])] : [told];
}

/** One event for what nobody will miss, and one for each kind of what somebody may. */
function ignoredOf(id: string, at: string, ignored: readonly IgnoredField[]): PodEvent[] {
  const kinds = [...new Set(ignored.map(({ warning }) => warning))];
  return kinds.map((kind) => {
    const told = ignored
      .filter(({ warning }) => warning === kind)
      .map(({ field, reason }) => `${field} (${reason})`)
      .join('; ');
    return kind === undefined
      ? { id: `${id}-ignored`, type: 'Normal', reason: 'FieldsIgnored', message: cut(`Not asked of ECI: ${told}`), at }
      : { id: `${id}-${kind}`, type: 'Warning', reason: kind, message: cut(`The pod goes without: ${told}`), at };
  });
}

const listed = (candidates: readonly RankedVSwitch[]): string =>
  candidates.map(({ vSwitchId, zone }) => (zone ? `${zone} (${vSwitchId})` : vSwitchId)).join(', ');

function tried(places: ReadonlyMap<number, readonly RankedVSwitch[]>, attempt: number): string {
  const candidates = places.get(attempt);
  return candidates && candidates.length > 0 ? `, tried ${listed(candidates)}` : '';
}

function relayed(containerGroupId: string, cloud: CloudEvent, seenAt: string): PodEvent {
  const identity = [containerGroupId, cloud.reason, cloud.message, cloud.firstTimestamp ?? ''];
  const digest = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
  return {
    id: `cloud-${digest}`,
    type: cloud.type,
    reason: cloud.reason,
    message: cut(cloud.message),
    at: cloud.firstTimestamp ?? seenAt,
    ...(cloud.count > 1 && { count: cloud.count }),
  };
}

const cut = (message: string): string => cutText(message, MOST);
