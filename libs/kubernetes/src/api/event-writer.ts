import { cleanText, cutText } from '#libs/contracts';
import type { CallOptions, KubernetesApi } from './kubernetes-api.ts';
import { KubernetesError } from './kubernetes-error.ts';
import { resources } from './resources.ts';

export interface EventAbout {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for objects without namespace; their events go to `default`. */
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
}

interface EventText {
  /** Stable: the same id names the same Event, so that repeats do not multiply. */
  readonly id: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly at: string;
  readonly firstAt?: string | undefined;
  readonly count?: number | undefined;
}

const MESSAGE_LIMIT = 1024;

/**
 * Writes Kubernetes Events under names made from their ids: a repeat finds its Event and changes only count and last time. Answers
 * `created`, `repeated`, or `gone` when the namespace no longer takes anything.
 */
export async function writeEvent(
  api: KubernetesApi,
  about: EventAbout,
  event: EventText,
  component: { readonly name: string; readonly host: string },
  options: CallOptions = {},
): Promise<'created' | 'repeated' | 'gone'> {
  const namespace = about.namespace ?? 'default';
  const name = eventName(event.id);
  const lastTimestamp = seconds(event.at);
  const count = event.count ?? 1;
  try {
    await api.create(
      resources.events,
      { namespace },
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: { ...about },
        type: event.type,
        reason: event.reason,
        message: cutText(cleanText(event.message), MESSAGE_LIMIT),
        source: { component: component.name, host: component.host },
        reportingComponent: component.name,
        reportingInstance: component.host,
        firstTimestamp: seconds(event.firstAt ?? event.at),
        lastTimestamp,
        count,
      },
      { ...options, blind: true },
    );
    return 'created';
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    // 403 with this cause: the namespace is being removed and takes no new objects.
    if (error.notFound || (error.status === 403 && error.detail.includes('being terminated'))) return 'gone';
    if (!error.conflict) throw error;
  }
  if (count > 1) {
    try {
      await api.patch(
        resources.events,
        { namespace, name },
        'merge',
        { count, lastTimestamp },
        { ...options, blind: true },
      );
    } catch (error) {
      if (!(error instanceof KubernetesError && error.notFound)) throw error;
    }
  }
  return 'repeated';
}

/** A DNS subdomain made from an id; different ids of our making (UUIDs, digests, words with dots) stay different. */
export function eventName(id: string): string {
  const clean = id
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .slice(0, 200);
  return `eci-fleet.${clean.replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '') || 'event'}`;
}

/** `metav1.Time` has no fractions. What is no time becomes the first of all: an Event without its time is better than none. */
function seconds(iso: string): string {
  return `${new Date(Date.parse(iso) || 0).toISOString().slice(0, 19)}Z`;
}
