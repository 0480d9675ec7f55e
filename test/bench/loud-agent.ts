import { once } from 'node:events';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { KafkaMessaging, type OutgoingMessage } from '#libs/messaging';
import type { Voice } from './agent-of-one-call.ts';
import { noise } from './noise.ts';

const PER_SECOND = 100;

/** Messages that were made before they are wanted; when there are none left, they are made as they are wanted. */
class Prepared {
  private readonly source: ReturnType<typeof noise>;
  private readonly made: OutgoingMessage[] = [];

  constructor(source: ReturnType<typeof noise>) {
    this.source = source;
  }

  async prepare(count: number): Promise<void> {
    while (this.made.length < count) this.made.push((await this.source.next()).value);
  }

  async next(): Promise<OutgoingMessage> {
    return this.made.shift() ?? (await this.source.next()).value;
  }
}

interface Loud {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly voice: Voice;
  readonly victimId: string;
}

/**
 * The noisy cluster, in a thread of its own: making and sending large messages takes tens of milliseconds at a time, and whoever else sent from the
 * same thread would wait for that and not for the fleet.
 */
export class LoudAgent {
  static readonly perSecond = PER_SECOND;
  private readonly worker: Worker;

  constructor(loud: Loud) {
    const module = new URL('./loud-agent.ts', import.meta.url);
    this.worker = new Worker(module, { workerData: loud, execArgv: ['--conditions=source', '--no-warnings'] });
  }

  /** Makes what it will send in so many seconds: in the field that is the work of other machines. */
  async prepare(seconds: number): Promise<void> {
    const prepared = once(this.worker, 'message');
    this.worker.postMessage({ prepare: Math.ceil(seconds * PER_SECOND) });
    await prepared;
  }

  begin(): void {
    this.worker.postMessage('begin');
  }

  /** All that it sent is on the log then; returns how many. */
  async end(): Promise<number> {
    const made = once(this.worker, 'message') as Promise<[number]>;
    this.worker.postMessage('end');
    return (await made)[0];
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}

if (parentPort) {
  const port = parentPort;
  const { brokers, topic, voice, victimId } = workerData as Loud;
  const messaging = new KafkaMessaging({ brokers, clientId: 'loud', security: { kind: 'plaintext' } });
  const messages = new Prepared(noise(voice, victimId));
  let shouting: Promise<number> | undefined;
  let ended = new AbortController();
  port.on('message', (word: 'begin' | 'end' | { readonly prepare: number }) => {
    if (typeof word === 'object') {
      void messages.prepare(word.prepare).then(() => port.postMessage('prepared'));
    } else if (word === 'begin') {
      ended = new AbortController();
      shouting = shout(messaging, topic, messages, ended.signal);
    } else {
      ended.abort();
      void shouting?.then((made) => port.postMessage(made));
    }
  });
}

/** Sends until it is told to end; returns how many. */
async function shout(
  messaging: KafkaMessaging,
  topic: string,
  messages: Prepared,
  ended: AbortSignal,
): Promise<number> {
  const began = Date.now();
  const sending = new Set<Promise<void>>();
  let made = 0;
  while (!ended.aborted) {
    const message = await messages.next();
    const ms = began + (made * 1_000) / PER_SECOND - Date.now();
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    made += 1;
    const sent = messaging.publish(topic, [message]).finally(() => sending.delete(sent));
    sending.add(sent);
    // Not more than a broker takes: what counts is what arrives.
    if (sending.size > 2 * PER_SECOND) await Promise.race(sending);
  }
  await Promise.all(sending);
  return made;
}
