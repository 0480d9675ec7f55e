import { createHash } from 'node:crypto';
import { writeEvent, type EventAbout, type KubernetesApi, type KubernetesObject } from '#libs/kubernetes';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { EventPace } from './event-pace.ts';

interface PodEventsOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly metrics: Metrics;
  readonly pace: Pick<EventPace, 'turn'>;
}

const EVENT_COMPONENT = 'eci-fleet-agent';

interface Said {
  readonly firstAt: string;
  at: number;
  count: number;
}

const REPEAT_MS = 300_000;
/** Events that wait to be written; beyond it new ones are dropped, which is counted and said. */
const MAX_WRITING = 500;
const SAY_DROPPED_MS = 60_000;

/**
 * Events of the agent's own: what it found out about a pod or a ConfigMap. The same words about the same object are written once, and counted up
 * every five minutes while they stay true. Writing never holds anything up; what is not written is counted and said.
 */
export class PodEvents {
  private readonly options: PodEventsOptions;
  private readonly said = new Map<string, Map<string, Said>>();
  private writing = 0;
  private dropped = 0;
  private saidDroppedAt = 0;

  constructor(options: PodEventsOptions) {
    this.options = options;
  }

  say(object: KubernetesObject, type: 'Normal' | 'Warning', reason: string, message: string, kind = 'Pod'): void {
    const { namespace, name, uid } = object.metadata;
    this.sayAbout({ apiVersion: 'v1', kind, name, namespace, uid }, type, reason, message);
  }

  sayAbout(about: EventAbout, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { clock, logger, api, nodeName, pace } = this.options;
    const now = clock.now();
    const object = about.uid ?? `${about.namespace ?? ''}/${about.name}`;
    const key = createHash('sha256').update(`${object}\n${reason}\n${message}`).digest('hex').slice(0, 20);
    const ofObject = this.said.get(object) ?? new Map<string, Said>();
    this.said.set(object, ofObject);
    const before = ofObject.get(key);
    if (before && now - before.at < REPEAT_MS) return;
    // A broken template can make thousands of pods at once; their events must not become the load.
    if (this.writing >= MAX_WRITING) {
      this.drop(reason, now);
      return;
    }
    const at = new Date(now).toISOString();
    const said = before ?? { firstAt: at, at: now, count: 0 };
    said.at = now;
    said.count += 1;
    ofObject.set(key, said);
    this.writing += 1;
    const id = `${about.name.slice(0, 100)}.${key}`;
    const event = { id, type, reason, message, at, firstAt: said.firstAt, count: said.count };
    void pace
      .turn()
      .then(() => writeEvent(api, about, event, { name: EVENT_COMPONENT, host: nodeName }, { priority: 'low' }))
      .catch((error: unknown) => {
        ofObject.delete(key);
        logger.warn('an event was not written', { reason, error });
      })
      .finally(() => {
        this.writing -= 1;
      });
  }

  forget(uid: string): void {
    this.said.delete(uid);
  }

  private drop(reason: string, now: number): void {
    this.options.metrics
      .counter(
        'eci_fleet_agent_events_dropped_total',
        'Kubernetes Events of the agent that were too many to be written',
      )
      .inc();
    this.dropped += 1;
    if (now - this.saidDroppedAt < SAY_DROPPED_MS) return;
    this.options.logger.warn('too many events wait to be written; dropped some', { dropped: this.dropped, reason });
    this.saidDroppedAt = now;
    this.dropped = 0;
  }
}
