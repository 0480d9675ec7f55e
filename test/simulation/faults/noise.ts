import { intentKey, topics } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { noiseOf, sealed, type Noise, type NoisyVoice } from '../parts/noise.ts';
import { FLEET } from '../world.ts';
import { between, oneOf, type FaultKind } from './fault.ts';
import { isAbout } from './store.ts';

/** Pods of others that are made beside the noise have numbers from here. */
const BESIDE = 700;
/** Ten messages ten times a second. */
const BURST = 10;
const EVERY_MS = 100;
/** One of these comes first in each of the first seconds: nothing is away, and it cannot be handled, whatever is tried. */
const POISON = 'noise-poison';

export const noiseFaults: readonly FaultKind[] = [
  {
    name: 'noisy cluster',
    // Of what it costs the others nothing can be said while something else is wrong.
    apart: 0.06,
    lasts: (random) => between(random, 4_000, 7_000),
    inject: (world, fault, random) => {
      const index = between(random, 0, world.agentCount);
      const { clusterId, epoch } = world.agent(index);
      const other = world.agent((index + 1) % world.agentCount);
      const { intents } = topics(FLEET);
      const first = between(random, BESIDE, BESIDE + 100);
      // A producer writes to what partition it likes: here to the one of those who would wait behind it.
      const partition = world.log.partitionOf(intents, intentKey(other.clusterId, `uid-${first}`));
      if (partition === undefined) return;
      const beside = Array.from({ length: 100 }, (_, i) => `uid-${BESIDE + i}`)
        .filter((uid) => world.log.partitionOf(intents, intentKey(other.clusterId, uid)) === partition)
        .filter((uid) => !world.pods.has(uid))
        .slice(0, 3);
      beside.forEach((uid, i) =>
        world.scheduler.after(((i + 0.5) * fault.forMs) / 3, () =>
          world.makePod({
            clusterId: other.clusterId,
            uid,
            name: `pod-${uid.slice(4)}`,
            kind: 'service',
            createAtMs: fault.atMs,
            graceSeconds: 5,
            force: false,
          }),
        ),
      );
      const voice: NoisyVoice = {
        clusterId,
        epoch,
        key: world.envelopeKeyOf(clusterId),
        otherId: other.clusterId,
        now: () => world.scheduler.now,
        random,
      };
      const said = (world.log.topic(intents)?.partitions[partition]?.records ?? []).filter(
        ({ key }) => key.startsWith(`${clusterId}/`) && !key.endsWith('/inventory'),
      );
      const again: Noise[] = said.length > 0 ? [() => oneOf(random, said)] : [];
      const poison: Noise = () =>
        sealed(voice, { kind: 'StopPod', uid: POISON, namespace: 'default', name: 'noise', reason: 'Absent' });
      const kinds = noiseOf(voice).flatMap((noise, i) => (i % 5 === 4 ? [noise, ...again] : [noise]));
      const streamId = streamIdOf(clusterId, POISON);
      world.unreadable.add(intentKey(clusterId, POISON));
      world.beginNoise(clusterId, fault.forMs);
      world.ownRule(fault.forMs, (_, call, args) =>
        call.startsWith('store.') && isAbout(streamId, args)
          ? { refuse: new Error('this one cannot be handled') }
          : undefined,
      );
      for (let burst = 0; burst * EVERY_MS < fault.forMs; burst++) {
        const makes = Array.from({ length: BURST }, (_, i) => kinds[(burst * BURST + i) % kinds.length] as Noise);
        if (burst % 10 === 1 && burst < 30) makes[0] = poison;
        world.scheduler.after(burst * EVERY_MS, () => {
          world.hit(fault.kind);
          makes.forEach((make, i) => void world.makeNoise(partition, make(burst * BURST + i)));
        });
      }
    },
  },
];
