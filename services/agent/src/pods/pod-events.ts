import { createHash } from 'node:crypto';
import { writeEvent, type EventAbout, type KubernetesApi, type KubernetesObject } from '#libs/kubernetes';
import type { Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';

export interface PodEventsOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
}

export const EVENT_COMPONENT = 'eci-fleet-agent';

interface Said {
  readonly firstAt: string;
  at: number;
  count: number;
}

const REPEAT_MS = 300_000;
const MAX_WRITING = 500;

/**
 * Events of the agent's own: what it found out about a pod or a ConfigMap. The same words about the same object are written once, and counted up
 * every five minutes while they stay true. Writing never holds anything up; what cannot be written is logged.
 */
export class PodEvents {
  private readonly options: PodEventsOptions;
  private readonly said = new Map<string, Map<string, Said>>();
  private writing = 0;

  constructor(options: PodEventsOptions) {
    this.options = options;
  }

  say(object: KubernetesObject, type: 'Normal' | 'Warning', reason: string, message: string, kind = 'Pod'): void {
    const { namespace, name, uid } = object.metadata;
    this.sayAbout({ apiVersion: 'v1', kind, name, namespace, uid }, type, reason, message);
  }

  sayAbout(about: EventAbout, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { clock, logger, api, nodeName } = this.options;
    const now = clock.now();
    const object = about.uid ?? `${about.namespace ?? ''}/${about.name}`;
    const key = createHash('sha256').update(`${object}\n${reason}\n${message}`).digest('hex').slice(0, 20);
    const ofObject = this.said.get(object) ?? new Map<string, Said>();
    this.said.set(object, ofObject);
    const before = ofObject.get(key);
    if (before && now - before.at < REPEAT_MS) return;
    // A broken template can make thousands of pods at once; their events must not become the load.
    if (this.writing >= MAX_WRITING) return;
    const at = new Date(now).toISOString();
    const said = before ?? { firstAt: at, at: now, count: 0 };
    said.at = now;
    said.count += 1;
    ofObject.set(key, said);
    this.writing += 1;
    void writeEvent(
      api,
      about,
      { id: `${about.name.slice(0, 100)}.${key}`, type, reason, message, at, firstAt: said.firstAt, count: said.count },
      { name: EVENT_COMPONENT, host: nodeName },
      { priority: 'low' },
    )
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
}
