import { createHash } from 'node:crypto';
import { cutText, type PodStatusMessage } from '#libs/contracts';
import {
  isFinalStatus,
  type CloudEvent,
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

function tell(event: StoredEvent, places: ReadonlyMap<number, readonly RankedVSwitch[]>): PodEvent[] {
  const one = (type: PodEvent['type'], reason: string, message: string): PodEvent[] => [
    { id: event.id, type, reason, message: cut(message), at: event.at },
  ];
  switch (event.type) {
    case 'PodIntentAccepted': {
      const { need, lookUpFirst, ignored = [] } = event.data;
      // A pod that could not be mapped needs nothing; its rejection follows and says why.
      if (need.specs.length === 0) return [];
      const wish = `${need.specs.join(' or ')} ${need.chargeType} in ${need.region}`;
      const accepted = one(
        'Normal',
        'PodAccepted',
        `ECI Fleet runs this pod: ${wish}${lookUpFirst ? '; it already ran, so its container group is looked for' : ''}`,
      );
      return [...accepted, ...ignoredOf(event.id, event.at, ignored)];
    }
    case 'PodChangeRefused':
      return one(
        'Warning',
        'PodChangeRefused',
        `A running container group keeps what it was made of; not changed: ${event.data.fields.join(', ')}`,
      );
    case 'PodRejected':
      return one('Warning', 'PodRejected', `${event.data.field}: ${event.data.reason}`);
    case 'PlacementChosen': {
      const { attempt, specs, chargeType, candidates } = event.data;
      return one(
        'Normal',
        'PlacementChosen',
        `Attempt ${attempt}: ${specs.join(', ')} ${chargeType}, in this order: ${listed(candidates)}`,
      );
    }
    case 'ContainerGroupCreated':
      return one(
        'Normal',
        'ContainerGroupCreated',
        `ECI accepted container group ${event.data.containerGroupId} (attempt ${event.data.attempt})`,
      );
    case 'CreateRefused': {
      const { attempt, code, class: refusal, message } = event.data;
      return one(
        'Warning',
        CREATE_REFUSED[refusal],
        `Attempt ${attempt} was refused, ${refusal} (${code})${tried(places, attempt)}${message ? `: ${message}` : ''}`,
      );
    }
    case 'CreateOutcomeUnknown':
      return one(
        'Warning',
        'CreateOutcomeUnknown',
        `Attempt ${event.data.attempt} had no clear answer; nothing else is created before it is clear`,
      );
    case 'Adopted':
      return one(
        'Normal',
        'ContainerGroupAdopted',
        `Container group ${event.data.containerGroupId} was found and belongs to this pod`,
      );
    case 'ContainerGroupLanded': {
      const { zone, vSwitchId, spec } = event.data;
      return one(
        'Normal',
        'ContainerGroupLanded',
        `Runs in zone ${zone}, vSwitch ${vSwitchId}${spec ? `, as ${spec}` : ''}`,
      );
    }
    case 'SchedulingFailed': {
      const { attempt, reason, message } = event.data;
      return one(
        'Warning',
        'SchedulingFailed',
        `Attempt ${attempt} was accepted and then found no resources (${reason})${tried(places, attempt)}${message ? `: ${message}` : ''}`,
      );
    }
    case 'Parked':
      return one('Warning', 'Parked', `Waits: ${event.data.message || event.data.reason}`);
    case 'Unparked':
      return one('Normal', 'Unparked', `Is tried again (${event.data.by})`);
    case 'ContainersChanged':
      return event.data.cloudEvents.map((cloud) => relayed(event.data.containerGroupId, cloud, event.at));
    case 'ContainerGroupSucceeded':
      return one('Normal', 'ContainerGroupSucceeded', 'All containers ended with 0');
    case 'ContainerGroupFailed':
      return one(
        'Warning',
        'ContainerGroupFailed',
        [event.data.reason, event.data.message].filter((part) => part !== '').join(': '),
      );
    case 'SpotReleaseAnnounced':
      return one('Warning', 'SpotToBeReleased', event.data.message);
    case 'ContainerGroupExpired':
      return one('Warning', event.data.reason ?? 'BidFailed', event.data.message);
    case 'StopRequested':
      return one('Normal', 'StopRequested', `Is being stopped (${event.data.reason})`);
    case 'StopHeld': {
      const { reason, disruption, hold } = event.data;
      const why = disruption ? `${reason}, ${disruption}` : reason;
      return one(
        'Warning',
        'StopHeld',
        `Too many pods of this cluster are stopped at once: the stop (${why}) waits for an operator, the containers run on (hold ${hold})`,
      );
    }
    case 'StopDenied':
      return one('Normal', 'StopDenied', `${event.data.by} keeps this pod running although its stop was asked for`);
    case 'StopReleased': {
      const { by, outcome, reason } = event.data;
      const what = outcome === 'stopped' ? 'The held stop happens now' : 'The pod exists: it is not stopped';
      return one('Normal', 'StopReleased', `${what} (${by}${reason ? `: ${reason}` : ''})`);
    }
    case 'DeleteAccepted':
      return one('Normal', 'DeleteAccepted', `ECI is deleting container group ${event.data.containerGroupId}`);
    case 'ContainerGroupGone': {
      const { containerGroupId, attempt, evidence } = event.data;
      const what = containerGroupId
        ? `Container group ${containerGroupId}`
        : `The container group of attempt ${attempt ?? '?'}`;
      return one('Normal', 'ContainerGroupGone', `${what} does not exist (${evidence})`);
    }
    case 'OrphanFound':
      return one(
        'Warning',
        'LateContainerGroup',
        `Container group ${event.data.containerGroupId} of an earlier attempt appeared and ${isFinalStatus(event.data.status) ? 'has ended' : 'is deleted'}`,
      );
    case 'PodIntentRefreshed':
    case 'PodObjectGone':
    case 'Unknown':
      return [];
  }
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
