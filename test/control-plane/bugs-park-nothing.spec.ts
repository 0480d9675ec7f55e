import { describe, expect, it } from 'vitest';
import { streamIdOf } from '#libs/domain';
import { EciClient, EciClients, type CreateAnswer, type FrozenCreate } from '#libs/eci';
import {
  InMemoryDatabase,
  InMemoryEffectQueue,
  InMemoryEventStore,
  InMemoryGateQueue,
  InMemoryTimerQueue,
} from '#libs/event-store';
import { Logger, type LogFields } from '#libs/observability';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { runPodCommand, type SealedIntent } from '../../services/control-plane/src/intake/run-pod.ts';
import { MasterKey } from '../../services/control-plane/src/keys/master-key.ts';
import { INTENT, StreamVault } from '../../services/control-plane/src/keys/stream-vault.ts';
import { OrphanStreams } from '../../services/control-plane/src/orphans/orphan-streams.ts';
import { effectsRole, type EffectsPorts } from '../../services/control-plane/src/roles/effects-role.ts';
import { StreamCommands } from '../../services/control-plane/src/streams/stream-commands.ts';
import { noMetrics } from '../simulation/parts/no-metrics.ts';
import { runPodBody, sealedHalf } from './loops-rig.ts';
import { ACCOUNT, CLUSTER, FLEET } from './names.ts';

const STREAM = streamIdOf(CLUSTER, 'u1');
const LANES = { rate: 100, burst: 100 };
/** Tries are a minute apart at most. */
const BROKEN_MS = 60_000;
const MENDED_MS = 180_000;

type Mistake = new (message: string) => Error;

/** Every call and every reading of a field between the worker and what it works with is a place where a line of ours could be wrong. */
class Places {
  readonly met = new Set<string>();
  private readonly promising = new Set<string>();
  private broken: { readonly place: string; readonly Mistake: Mistake } | undefined;
  thrown = 0;

  breakAt(place: string, Mistake: Mistake, promising: boolean): void {
    this.broken = { place, Mistake };
    if (promising) this.promising.add(place);
  }

  mend(): void {
    this.broken = undefined;
  }

  isPromising(place: string): boolean {
    return this.promising.has(place);
  }

  /** `through`: what of the answers of a method is watched as well, and as what. */
  watch<T extends object>(name: string, inner: T, through: Readonly<Record<string, string>> = {}): T {
    return new Proxy(inner, {
      get: (_, property) => {
        const value: unknown = Reflect.get(inner, property, inner);
        // A promise that hands this on asks for `then`.
        if (typeof property === 'symbol' || property === 'then') return value;
        const place = `${name}.${property}`;
        if (typeof value !== 'function') return this.pass(place, () => value);
        return (...given: unknown[]) =>
          this.pass(place, () => {
            const answer: unknown = Reflect.apply(value, inner, given);
            const of = through[property];
            const watched = (it: unknown): unknown =>
              of === undefined ? it : this.watch(of, it as object, THROUGH[of]);
            if (!(answer instanceof Promise)) return watched(answer);
            this.promising.add(place);
            return answer.then(watched);
          });
      },
    });
  }

  private pass(place: string, answer: () => unknown): unknown {
    this.met.add(place);
    if (this.broken?.place !== place) return answer();
    this.thrown += 1;
    const mistake = new this.broken.Mistake('a mistake of ours');
    if (this.promising.has(place)) return Promise.reject(mistake);
    throw mistake;
  }
}

const THROUGH: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  clients: { for: 'client' },
  vault: { unlock: 'key' },
  key: { open: 'intent' },
};

/** Takes every create, once for each token. */
class TakingClient extends EciClient {
  readonly tokens = new Set<string>();

  freeze(_: unknown, { clientToken }: { readonly clientToken: string }): FrozenCreate {
    return { accountId: ACCOUNT, region: 'cn-hangzhou', clientToken, request: '{}', digest: 'd' };
  }

  create({ clientToken }: FrozenCreate): Promise<CreateAnswer> {
    this.tokens.add(clientToken);
    return Promise.resolve({ kind: 'done', containerGroupId: `eci-${clientToken}`, requestId: 'r' });
  }

  delete(): never {
    throw new Error('nobody asked for a delete');
  }

  describeOnce(): Promise<never> {
    return Promise.resolve({ kind: 'done', requestId: 'r', value: [] } as never);
  }

  list(): Promise<never> {
    return Promise.resolve({ kind: 'done', requestId: 'r', value: { groups: [] } } as never);
  }

  changes(): Promise<never> {
    return this.list();
  }
}

class SaidLines extends Logger {
  readonly lines: string[] = [];

  override child(): Logger {
    return this;
  }

  override debug(): void {}

  override info(): void {}

  override warn(message: string, fields?: LogFields): void {
    this.lines.push(`${message} ${String(fields?.['error'] ?? fields?.['reason'] ?? '')}`);
  }

  override error(message: string, fields?: LogFields): void {
    this.warn(message, fields);
  }
}

/** One pod that wants to run, and role `effects` in front of a store in memory. */
async function start(places: Places) {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const ids = new SeededIds(random);
  const logger = new SaidLines();
  const database = new InMemoryDatabase({ clock });
  const store = new InMemoryEventStore(database);
  const queue = new InMemoryEffectQueue(database);
  const gates = new InMemoryGateQueue(database);
  const vault = new StreamVault(new MasterKey(Buffer.alloc(32, 7)));
  const client = new TakingClient();
  const clients = new (class extends EciClients {
    for = () => Promise.resolve(client);
  })();
  /** Time passes until it is done. */
  const done = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    void work.finally(() => (isDone = true)).catch(() => undefined);
    for (let passed = 0; !isDone && passed < MENDED_MS; passed += 1_000) await clock.advance(1_000);
    return work;
  };

  const body = runPodBody('u1');
  const sealed = sealedHalf();
  const key = vault.create(STREAM);
  const intent: SealedIntent = { pod: body.pod, resolved: body.resolved, sealed };
  const message = { clusterId: CLUSTER, accountId: ACCOUNT, agentEpoch: 1, sequence: 1, body, sealed, storable: true };
  const accepted = new StreamCommands({ store, clock, ids }).execute(STREAM, runPodCommand(message, body.pod, key), {
    actor: 'spec',
    sealed: { put: { ...key.wrapped, sealed: key.seal(intent, INTENT) } },
  });
  expect((await done(accepted)).kind).toBe('done');

  const watchedStore = places.watch('store', store);
  const watchedQueue = places.watch('queue', queue);
  const streams = new StreamCommands({ store: watchedStore, clock, ids });
  const ports = {
    fleet: FLEET,
    store: watchedStore,
    queue: watchedQueue,
    gates: places.watch('gates', gates),
    clients: places.watch('clients', clients, THROUGH['clients']),
    streams: places.watch('streams', streams),
    vault: places.watch('vault', vault, THROUGH['vault']),
    scopes: places.watch('scopes', {
      ensure: () => Promise.resolve(),
      knownGroups: () => Promise.resolve(new Map<string, string>()),
    }),
    agents: { sendCommand: () => Promise.resolve(true) },
    ids: places.watch('ids', ids),
    random,
    clock,
    logger,
    metrics: noMetrics,
    configureLanes: async (accountId: string, region: string) => {
      for (const action of ['create', 'delete', 'describe'])
        await queue.configureLane(`${accountId}/${region}/${action}`, LANES);
    },
  };
  // What goes on beside the path of a create is not broken.
  const others = {
    timers: new InMemoryTimerQueue(database),
    timerHandlers: {},
    held: {
      due: () => Promise.resolve([]),
      endIdle: () => Promise.resolve([]),
      counts: () => Promise.resolve(new Map<string, number>()),
    },
    orphanStreams: new OrphanStreams({ store, clock, ids }),
  };
  const sound = { queue, gates, store, ids };
  const role = effectsRole(
    (loop) => ({ ...ports, ...others, ...(loop === 'effects' ? {} : sound) }) as unknown as EffectsPorts,
  );
  return {
    client,
    logger,
    role,
    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 1_000) await clock.advance(1_000);
    },
    async types(): Promise<readonly string[]> {
      return ((await store.loadMany([STREAM])).get(STREAM) ?? []).map(({ type }) => type);
    },
    async shutGates(): Promise<readonly string[]> {
      const seen = await gates.look([...database.tables.gates.keys()]);
      return [...seen].filter(([, { state }]) => state !== 'open').map(([gate]) => gate);
    },
    async stop(): Promise<void> {
      await done(role.stop());
    },
  };
}

const clean = new Places();
const world = await start(clean);
await world.pass(10_000);
const history = await world.types();
await world.stop();

describe('a mistake of our own on the path of a create', () => {
  it('is looked for at every place of it', () => {
    expect(history).toEqual(['PodIntentAccepted', 'PlacementChosen', 'ContainerGroupCreated']);
    expect([...clean.met].sort()).toEqual(
      expect.arrayContaining([
        'client.create',
        'client.freeze',
        'clients.for',
        'gates.look',
        'ids.uuid',
        'intent.pod',
        'key.open',
        'key.seal',
        'queue.claim',
        'queue.confirmClaims',
        'queue.dueLanes',
        'scopes.ensure',
        'store.append',
        'store.loadMany',
        'store.readSealed',
        'streams.execute',
        'vault.unlock',
      ]),
    );
  });

  const mistakes = [...clean.met]
    .sort()
    .flatMap((place) => [RangeError, TypeError].map((Mistake) => [Mistake.name, place, Mistake] as const));

  it.each(mistakes)('a %s at %s parks no pod, shuts no gate, and is said', async (_, place, Mistake) => {
    // given a line that throws what any line may
    const places = new Places();
    places.breakAt(place, Mistake, clean.isPromising(place));
    const { client, logger, role, pass, types, shutGates, stop } = await start(places);

    // when a pod needs it, again and again
    await pass(BROKEN_MS);

    // then nothing of it is said of the pod or of the account
    expect(places.thrown).toBeGreaterThan(0);
    expect(await types()).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/Parked|Rejected|Refused|Failed|Ended/)]),
    );
    expect(await shutGates()).toEqual([]);
    // and it is set aside, or its loop says that it does not work
    const said = [...role.setAside().map(({ reason }) => reason), role.trouble() ?? '', ...logger.lines].join('\n');
    expect(said).toContain('a mistake of ours');

    // and the pod runs once it is mended, in one group
    places.mend();
    await pass(MENDED_MS);
    expect(await types()).toContain('ContainerGroupCreated');
    expect(await types()).not.toContain('Parked');
    expect(client.tokens.size).toBe(1);
    await stop();
  });
});
