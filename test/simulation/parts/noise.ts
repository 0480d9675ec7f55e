import { intentKey, inventoryKey, MAX_INVENTORY_CHUNKS, type ClearPart, type IntentBody } from '#libs/contracts';
import { sealEnvelope, type EnvelopeKey, type OutgoingMessage } from '#libs/messaging';
import type { Random } from '#libs/runtime';
import { ODD_TEXTS } from './workload.ts';

/** Whose seal it has, and under whose name it writes as well. */
export interface NoisyVoice {
  readonly clusterId: string;
  readonly epoch: number;
  readonly key: EnvelopeKey;
  readonly otherId: string;
  readonly now: () => number;
  readonly random: Random;
}

export type Noise = (turn: number) => Promise<OutgoingMessage> | OutgoingMessage;

const HUGE = Number.MAX_SAFE_INTEGER;
/** Pods that nobody ever made; few, since each that is believed is a stream. */
const NOBODYS = 6;

/**
 * What a cluster can send that is broken or taken over: bytes of chance under its own name and another's, its own seal under another's name, and
 * sealed messages in which each value stands at its bound and one beyond. Nothing of it hurts its own pods.
 */
export function noiseOf(voice: NoisyVoice): readonly Noise[] {
  const { clusterId, otherId, random } = voice;
  const bytes = (): Uint8Array => Uint8Array.from({ length: 100 }, () => Math.floor(random.next() * 256));
  const under = (id: string, value: Uint8Array | null): OutgoingMessage => ({
    key: intentKey(id, `noise-${Math.floor(random.next() * 1e9)}`),
    value,
    headers: {},
  });
  const seal = (body: object, over: object = {}): Promise<OutgoingMessage> => sealed(voice, body as IntentBody, over);
  const stop = (turn: number): object => ({
    kind: 'StopPod',
    uid: `noise-${turn % NOBODYS}`,
    namespace: 'default',
    name: 'noise',
    reason: 'Absent',
  });
  const part = (over: object = {}): object => ({
    kind: 'Inventory',
    inventoryId: 'noise',
    chunk: 0,
    chunks: MAX_INVENTORY_CHUNKS,
    pods: [{ uid: 'noise-0', resourceVersion: '1', phase: 'Running' }],
    ...over,
  });
  const odd = (turn: number): string => ODD_TEXTS[turn % ODD_TEXTS.length] as string;
  const strangers: Noise[] = [
    () => under(otherId, bytes()),
    () => under(otherId, null),
    async (turn) => ({ ...(await seal(stop(turn))), key: intentKey(otherId, `noise-${turn}`) }),
    () => under(clusterId, bytes()),
    (turn) => under(clusterId, Buffer.from(`{"clear":"${turn}"`)),
  ];
  return [
    ...strangers,
    (turn) => seal(stop(turn)),
    ...strangers,
    (turn) => seal(stop(turn), { sequence: HUGE }),
    (turn) => seal(stop(turn), { sequence: HUGE + 1 }),
    (turn) => seal(stop(turn), { agentEpoch: HUGE }),
    (turn) => seal(stop(turn), { agentEpoch: HUGE + 1 }),
    ...strangers,
    (turn) => seal(stop(turn), { schemaVersion: 2 }),
    (turn) => seal({ ...stop(turn), graceSeconds: HUGE }),
    (turn) => seal({ ...stop(turn), graceSeconds: -1 }),
    (turn) => seal({ ...stop(turn), name: 'n'.repeat(turn % 2 === 0 ? 253 : 254) }),
    ...strangers,
    (turn) => seal({ ...stop(turn), uid: odd(turn) }),
    (turn) => seal({ ...stop(turn), disruption: odd(turn) }),
    (turn) => seal(part({ chunk: turn % MAX_INVENTORY_CHUNKS })),
    (turn) => seal(part({ inventoryId: `noise-${turn}`, chunk: MAX_INVENTORY_CHUNKS - 1 })),
    () => seal(part({ chunks: MAX_INVENTORY_CHUNKS + 1 })),
    () => seal(part({ chunk: HUGE, chunks: HUGE })),
  ];
}

/** An intent that its reader believes. */
export function sealed(voice: NoisyVoice, body: IntentBody, over: object = {}): Promise<OutgoingMessage> {
  const { clusterId, epoch, key, now } = voice;
  const messageKey =
    body.kind === 'Inventory' ? inventoryKey(clusterId) : intentKey(clusterId, 'uid' in body ? body.uid : '');
  const clear: ClearPart = {
    schemaVersion: 1,
    clusterId,
    agentEpoch: epoch,
    sequence: 1,
    sentAt: new Date(now()).toISOString(),
    body,
    ...over,
  };
  return sealEnvelope({ clear, sealed: {}, messageKey, key }).then((value) => ({
    key: messageKey,
    value,
    headers: {},
  }));
}
