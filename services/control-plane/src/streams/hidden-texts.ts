import { hide, READABLE_POD, reveal, type HiddenPart } from '#libs/contracts';
import type { EventType } from '#libs/domain';
import type { JsonObject } from '#libs/event-store';

/** A place in the data of an event; `*` is each item of a list. */
type Path = readonly string[];

const ofContainers = (list: string): Path[] => [
  [list, '*', 'state', 'message'],
  [list, '*', 'lastState', 'message'],
];

/**
 * Texts of events that containers write themselves, or that quote what they were started with: words on their end, on probes, on commands that were
 * not found. With {@link READABLE_POD} this is all that is hidden; what we and the cloud say of a request that was never carried out is not.
 */
const HIDDEN_TEXTS: Partial<Record<EventType, readonly Path[]>> = {
  ContainersChanged: [
    ...ofContainers('containers'),
    ...ofContainers('initContainers'),
    ['conditions', '*', 'message'],
    ['cloudEvents', '*', 'message'],
  ],
  ContainerGroupFailed: [['message']],
  ContainerGroupExpired: [['message']],
  SchedulingFailed: [['message']],
  SpotReleaseAnnounced: [['message']],
};

/** The schema version of events with hidden parts: what is hidden rests in `hidden`, sealed. */
export const HIDING_SCHEMA_VERSION = 2;

/** Only these have parts that can be hidden. */
export const canHide = (type: string): boolean => type === 'PodIntentAccepted' || Object.hasOwn(HIDDEN_TEXTS, type);

/** Parts of an event's data that are not for ever. A text leaves an empty one in its place; of the pod only what is written down stays. */
export function hideTexts({ type, data }: { readonly type: string; readonly data: JsonObject }): {
  readonly data: JsonObject;
  readonly hidden: readonly HiddenPart[];
} {
  if (type === 'PodIntentAccepted') {
    const { readable, hidden } = hide(data['clearPod'], READABLE_POD, ['clearPod']);
    return { data: { ...data, clearPod: (readable ?? {}) as JsonObject }, hidden };
  }
  const hidden: HiddenPart[] = [];
  for (const path of canHide(type) ? HIDDEN_TEXTS[type as EventType]! : []) collect(data, path, [], hidden);
  if (hidden.length === 0) return { data, hidden };
  const blank = hidden.map(([path]): HiddenPart => [path, '']);
  return { data: reveal(data, blank) as JsonObject, hidden };
}

/** Undoes {@link hideTexts}. */
export function revealTexts(data: JsonObject, hidden: readonly HiddenPart[]): JsonObject {
  return reveal(data, hidden) as JsonObject;
}

/** The data of an event as everybody may read it for ever, whether or not it was opened. */
export function readableData({ type, data }: { readonly type: string; readonly data: JsonObject }): JsonObject {
  const { hidden: _, ...rest } = data;
  return hideTexts({ type, data: rest }).data;
}

function collect(value: unknown, [first, ...rest]: Path, at: HiddenPart[0], found: HiddenPart[]): void {
  if (first === undefined) {
    if (typeof value === 'string' && value !== '') found.push([at, value]);
  } else if (first === '*') {
    if (Array.isArray(value)) value.forEach((item, index) => collect(item, rest, [...at, index], found));
  } else if (typeof value === 'object' && value !== null && Object.hasOwn(value, first)) {
    collect((value as Record<string, unknown>)[first], rest, [...at, first], found);
  }
}
