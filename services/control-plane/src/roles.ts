import { EffectWorker } from './effects/effect-worker.ts';
import { GateLoop } from './gates/gate-loop.ts';
import { HoldLoop } from './holds/hold-loop.ts';
import { PostgresHeldStops } from './holds/postgres-held-stops.ts';
import { PostgresStopGuard } from './holds/postgres-stop-guard.ts';
import { Intake } from './intake/intake.ts';
import { PostgresDeferrals } from './intake/postgres-deferrals.ts';
import { PostgresInventories } from './intake/postgres-inventories.ts';
import { Observer } from './observe/observer.ts';
import { PostgresOrphans } from './observe/postgres-orphans.ts';
import { PostgresScopes } from './observe/postgres-scopes.ts';
import { OrphanPolicyLoop } from './orphans/orphan-policy.ts';
import { OrphanStreams } from './orphans/orphan-streams.ts';
import { OrphanWorker } from './orphans/orphan-worker.ts';
import { PostgresOrphanCases } from './orphans/postgres-orphan-cases.ts';
import type { Parts, RoleStarters, RunningRole } from './parts.ts';
import { startProject } from './project/role.ts';
import { startPublish } from './publish/role.ts';
import { TimerLoop } from './timers/timer-loop.ts';

/** From what agents say to events. */
async function startIntake(parts: Parts): Promise<RunningRole> {
  const {
    config,
    messaging,
    store,
    streams,
    vault,
    envelopeKeys,
    clusters,
    commands,
    statuses,
    quarantine,
    clock,
    random,
    logger,
    metrics,
  } = parts;
  const intake = new Intake({
    fleet: config.fleet,
    messaging,
    store,
    streams,
    vault,
    keys: envelopeKeys,
    clusters,
    agents: commands,
    statuses,
    quarantine,
    inventories: new PostgresInventories(parts),
    budget: config.clusterBudget,
    deferrals: new PostgresDeferrals(parts),
    guard: new PostgresStopGuard({ ...parts, limits: config.massDelete }),
    clock,
    random,
    logger,
    metrics,
  });
  await intake.start();
  return {
    stop: () => intake.stop(),
    trouble: () => intake.trouble(),
    setAside: () => [...intake.setAside(), ...statuses.setAside()],
  };
}

/** From rows of work to calls of the cloud; gates and timers, which make such rows, go with it. */
function startEffects(parts: Parts): Promise<RunningRole> {
  const { config, store, effects, gates, eci, streams, vault, commands, timers, clock, random, ids, logger, metrics } =
    parts;
  const worker = new EffectWorker({
    fleet: config.fleet,
    store,
    queue: effects,
    gates,
    clients: eci,
    streams,
    vault,
    scopes: new PostgresScopes(parts),
    agents: commands,
    wakeUps: parts.appended,
    configureLanes: (accountId, region) => parts.accounts.ensureLanes(accountId, region),
    clock,
    random,
    ids,
    logger,
    metrics,
  });
  const loops = [
    worker,
    new GateLoop({ gates, streams, clock, random, logger, metrics }),
    new OrphanWorker({
      fleet: config.fleet,
      store,
      streams,
      scopes: new PostgresScopes(parts),
      queue: effects,
      cases: new PostgresOrphanCases(parts.pool),
      orphanStreams: new OrphanStreams(parts),
      clients: eci,
      configureLanes: (accountId, region) => parts.accounts.ensureLanes(accountId, region),
      clock,
      random,
      ids,
      logger,
      metrics,
    }),
    new HoldLoop({
      held: new PostgresHeldStops({ pool: parts.pool, limits: config.massDelete }),
      streams,
      clock,
      random,
      logger,
      metrics,
    }),
    // No decision asks for a timer yet; one that a newer version has put is said, not lost in silence.
    new TimerLoop({ timers, handlers: {}, clock, random, logger, metrics }),
  ];
  for (const loop of loops) loop.start();
  return Promise.resolve({
    trouble: () => loops.map((loop) => loop.trouble()).find((trouble) => trouble !== undefined),
    setAside: () => loops.flatMap((loop) => loop.setAside()),
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  });
}

/** From what the cloud shows to events. */
function startObserve(parts: Parts): Promise<RunningRole> {
  const { config, store, streams, eci, gates, clock, random, ids, logger, metrics } = parts;
  const cases = new PostgresOrphanCases(parts.pool);
  const orphanStreams = new OrphanStreams(parts);
  const observer = new Observer({
    fleet: config.fleet,
    store,
    streams,
    clients: eci,
    scopes: new PostgresScopes(parts),
    orphans: new PostgresOrphans(parts.pool),
    cases,
    orphanStreams,
    gates,
    owner: ids.uuid(),
    configureLanes: (accountId, region) => parts.accounts.ensureLanes(accountId, region),
    clock,
    random,
    logger,
    metrics,
  });
  const policy = new OrphanPolicyLoop({
    policy: config.orphanPolicy,
    cases,
    orphanStreams,
    clock,
    random,
    logger,
    metrics,
  });
  observer.start();
  policy.start();
  return Promise.resolve({
    trouble: () => observer.trouble() ?? policy.trouble(),
    setAside: () => [...observer.setAside(), ...policy.setAside()],
    async stop() {
      await Promise.all([observer.stop(), policy.stop()]);
    },
  });
}

/** What each role starts; `api` is the server itself. */
export const ROLE_STARTERS: RoleStarters = {
  intake: startIntake,
  effects: startEffects,
  observe: startObserve,
  publish: startPublish,
  project: startProject,
};
