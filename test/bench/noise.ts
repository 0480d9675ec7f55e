import { randomBytes, randomUUID } from 'node:crypto';
import {
  intentKey,
  inventoryKey,
  MAX_ENVELOPE_BYTES,
  MAX_INVENTORY_CHUNKS,
  type ClearPart,
  type IntentBody,
} from '#libs/contracts';
import { sealEnvelope, type OutgoingMessage } from '#libs/messaging';
import type { Voice } from './agent-of-one-call.ts';
import { sealedIntent } from './sealed-intents.ts';

/** Makes one message; `turn` counts up. */
type Make = (turn: number) => Promise<OutgoingMessage> | OutgoingMessage;

const HUGE = Number.MAX_SAFE_INTEGER;

/**
 * What a cluster can send that is broken or taken over: bytes of chance, under its own name and under another's, and sealed messages in which each
 * value stands at its bound and one beyond. Endless; each kind comes in its turn.
 */
export async function* noise(voice: Voice, victimId: string): AsyncGenerator<OutgoingMessage, never> {
  const all = [...bytesOfChance(voice, victimId), ...bounds(voice)];
  for (let turn = 0; ; turn++) yield await (all[turn % all.length] as Make)(turn);
}

function bytesOfChance(voice: Voice, victimId: string): Make[] {
  const under = (clusterId: string, value: Uint8Array | null): OutgoingMessage => ({
    key: intentKey(clusterId, randomUUID()),
    value,
  });
  return [
    () => under(voice.clusterId, randomBytes(2_000)),
    () => under(victimId, randomBytes(2_000)),
    () => under(victimId, null),
    () => under(voice.clusterId, Buffer.from(`{"clear":${'['.repeat(50_000)}`)),
    () => under(voice.clusterId, randomBytes(MAX_ENVELOPE_BYTES + 1)),
    // Longer ones the client itself hashes for seconds before it sends them.
    () => ({ key: 'k'.repeat(1_000), value: randomBytes(10) }),
    async (turn) => ({ ...(await sealedIntent(voice, turn + 1)), key: intentKey(victimId, randomUUID()) }),
  ];
}

function bounds(voice: Voice): Make[] {
  const stop = (over: object = {}): IntentBody => ({
    kind: 'StopPod',
    uid: randomUUID(),
    namespace: 'default',
    name: 'noise',
    reason: 'Absent',
    ...over,
  });
  const inventory = (over: object = {}): IntentBody => ({
    kind: 'Inventory',
    inventoryId: randomUUID(),
    chunk: 0,
    chunks: 1,
    pods: [],
    ...over,
  });
  const pod = (over: object = {}): object => ({ uid: randomUUID(), resourceVersion: '1', phase: 'Running', ...over });
  const bodies: (() => [IntentBody, Partial<ClearPart>?])[] = [
    () => [stop()],
    () => [stop(), { agentEpoch: HUGE }],
    () => [stop(), { agentEpoch: HUGE + 1 }],
    () => [stop(), { sequence: HUGE }],
    () => [stop(), { schemaVersion: 2 as 1 }],
    () => [stop({ uid: 'u'.repeat(64) })],
    () => [stop({ uid: 'u'.repeat(65) })],
    () => [stop({ uid: 'a\u0000b' })],
    () => [stop({ name: 'n'.repeat(253) })],
    () => [stop({ name: 'n'.repeat(254) })],
    () => [stop({ graceSeconds: HUGE })],
    () => [stop({ graceSeconds: -1 })],
    () => [stop({ disruption: 'd'.repeat(1_024) })],
    () => [stop({ disruption: 'd'.repeat(1_025) })],
    () => [inventory()],
    () => [inventory({ chunks: MAX_INVENTORY_CHUNKS, chunk: MAX_INVENTORY_CHUNKS - 1 })],
    () => [inventory({ chunks: MAX_INVENTORY_CHUNKS + 1 })],
    () => [inventory({ chunks: HUGE })],
    () => [inventory({ chunk: 1 })],
    () => [inventory({ pods: Array.from({ length: 5_000 }, () => pod()) })],
    () => [inventory({ chunks: 2, pods: Array.from({ length: 200 }, () => pod({ waitingFor: 'w'.repeat(4_096) })) })],
    () => [inventory({ pods: [pod({ waitingFor: 'w'.repeat(4_097) })] })],
    () => [inventory({ pods: [pod({ revision: HUGE })] })],
  ];
  return [(turn) => sealedIntent(voice, turn + 1), ...bodies.map((body) => () => seal(voice, ...body()))];
}

async function seal(voice: Voice, body: IntentBody, over: Partial<ClearPart> = {}): Promise<OutgoingMessage> {
  const { clusterId, epoch } = voice;
  const key =
    body.kind === 'Inventory' ? inventoryKey(clusterId) : intentKey(clusterId, 'uid' in body ? body.uid : 'noise');
  const clear: ClearPart = {
    schemaVersion: 1,
    clusterId,
    agentEpoch: epoch,
    sequence: 1,
    sentAt: new Date().toISOString(),
    body,
    ...over,
  };
  return { key, value: await sealEnvelope({ clear, sealed: {}, messageKey: key, key: voice.key }) };
}
