import { randomBytes, randomUUID } from 'node:crypto';
import { intentKey, MAX_ENVELOPE_BYTES, type IntentBody } from '#libs/contracts';
import type { OutgoingMessage } from '#libs/messaging';
import { SystemRandom } from '#libs/runtime';
import { noiseOf, sealed, type Noise, type NoisyVoice } from '../simulation/parts/noise.ts';
import type { Voice } from './agent-of-one-call.ts';
import { sealedIntent } from './sealed-intents.ts';

/**
 * What the noisy cluster of the simulation sends, and beside it what is large, long, or believed and new each time. Endless; each kind comes in its
 * turn.
 */
export async function* noise(voice: Voice, victimId: string): AsyncGenerator<OutgoingMessage, never> {
  const { clusterId, epoch, key } = voice;
  const noisy = { clusterId, epoch, key, otherId: victimId, now: () => Date.now(), random: new SystemRandom() };
  const intent: Noise = (turn) => sealedIntent(voice, turn + 1);
  const underAnother: Noise = async (turn) => ({ ...(await intent(turn)), key: intentKey(victimId, randomUUID()) });
  const heavy = [intent, underAnother, ...largeBytes(noisy), ...longBodies(noisy)];
  // About one in two costs more than a refusal.
  const all = [...noiseOf(noisy), ...heavy, ...heavy];
  for (let turn = 0; ; turn++) yield await (all[turn % all.length] as Noise)(turn);
}

function largeBytes({ clusterId, otherId }: NoisyVoice): Noise[] {
  const under = (id: string, value: Uint8Array): OutgoingMessage => ({ key: intentKey(id, randomUUID()), value });
  return [
    () => under(clusterId, randomBytes(2_000)),
    () => under(otherId, randomBytes(2_000)),
    () => under(clusterId, Buffer.from(`{"clear":${'['.repeat(50_000)}`)),
    () => under(clusterId, randomBytes(MAX_ENVELOPE_BYTES + 1)),
    // Longer ones the client itself hashes for seconds before it sends them.
    () => ({ key: 'k'.repeat(1_000), value: randomBytes(10) }),
  ];
}

/** Each text at its bound and one beyond, and inventories as full as they may be. */
function longBodies(voice: NoisyVoice): Noise[] {
  const stop = (over: object = {}): IntentBody => ({
    kind: 'StopPod',
    uid: randomUUID(),
    namespace: 'default',
    name: 'noise',
    reason: 'Absent',
    ...over,
  });
  const inventory = (pods: readonly object[] = [], over: object = {}): IntentBody =>
    ({ kind: 'Inventory', inventoryId: randomUUID(), chunk: 0, chunks: 1, pods, ...over }) as IntentBody;
  const pod = (over: object = {}): object => ({ uid: randomUUID(), resourceVersion: '1', phase: 'Running', ...over });
  const pods = (count: number, over: object = {}): readonly object[] => Array.from({ length: count }, () => pod(over));
  const bodies: (() => IntentBody)[] = [
    () => stop(),
    () => stop({ uid: 'u'.repeat(64) }),
    () => stop({ uid: 'u'.repeat(65) }),
    () => stop({ disruption: 'd'.repeat(1_024) }),
    () => stop({ disruption: 'd'.repeat(1_025) }),
    () => inventory(),
    () => inventory([], { chunk: 1 }),
    () => inventory(pods(5_000)),
    () => inventory(pods(200, { waitingFor: 'w'.repeat(4_096) }), { chunks: 2 }),
    () => inventory(pods(1, { waitingFor: 'w'.repeat(4_097) })),
    () => inventory(pods(1, { revision: Number.MAX_SAFE_INTEGER })),
  ];
  return bodies.map((body) => () => sealed(voice, body()));
}
