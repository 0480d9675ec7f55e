import { asSqlClient, PostgresCheckpoints, PostgresTransactions } from '#libs/event-store';
import { startAudit } from './audit/start-audit.ts';
import type { Role } from './config/fleet.ts';
import { effectsRole, type EffectsPorts } from './roles/effects-role.ts';
import { PostgresHeldStops } from './holds/postgres-held-stops.ts';
import { PostgresStopGuard } from './holds/postgres-stop-guard.ts';
import { PostgresDeferrals } from './intake/postgres-deferrals.ts';
import { PostgresInventories } from './intake/postgres-inventories.ts';
import { intakeRole } from './roles/intake-role.ts';
import { PostgresOrphans } from './observe/postgres-orphans.ts';
import { PostgresScopes } from './observe/postgres-scopes.ts';
import { observeRole, type ObservePorts } from './roles/observe-role.ts';
import { OrphanStreams } from './orphans/orphan-streams.ts';
import { PostgresOrphanCases } from './orphans/postgres-orphan-cases.ts';
import type { Parts } from './parts.ts';
import { projectRole } from './roles/project-role.ts';
import { fleetTopics } from './publish/fleet-topics.ts';
import { publishRole } from './roles/publish-role.ts';
import type { RunningRole } from './running-role.ts';

function startIntake(parts: Parts): Promise<RunningRole> {
  const { config } = parts;
  return intakeRole({
    ...parts,
    fleet: config.fleet,
    keys: parts.envelopeKeys,
    agents: parts.commands,
    inventories: new PostgresInventories(parts),
    budget: config.clusterBudget,
    deferrals: new PostgresDeferrals(parts),
    guard: new PostgresStopGuard({ ...parts, limits: config.massDelete }),
  });
}

/** What the roles that work in the cloud have in common. */
function cloudPorts(parts: Parts) {
  return {
    ...parts,
    fleet: parts.config.fleet,
    clients: parts.eci,
    scopes: new PostgresScopes(parts),
    cases: new PostgresOrphanCases(parts.pool),
    orphanStreams: new OrphanStreams(parts),
    configureLanes: (accountId: string, region: string) => parts.accounts.ensureLanes(accountId, region),
  };
}

function startEffects(parts: Parts): RunningRole {
  const ports: EffectsPorts = {
    ...cloudPorts(parts),
    queue: parts.effects,
    agents: parts.commands,
    wakeUps: parts.appended,
    held: new PostgresHeldStops({ pool: parts.pool, limits: parts.config.massDelete }),
    // No decision asks for a timer yet.
    timerHandlers: {},
  };
  return effectsRole(() => ports);
}

function startObserve(parts: Parts): RunningRole {
  const ports: ObservePorts = {
    ...cloudPorts(parts),
    orphans: new PostgresOrphans(parts.pool),
    owner: parts.ids.uuid(),
    policy: parts.config.orphanPolicy,
  };
  return observeRole(() => ports);
}

/** Seals are published by the same role: they tell of what it has told. */
function startPublish(parts: Parts): RunningRole {
  const { pool, config } = parts;
  const role = publishRole({
    ...parts,
    fleet: config.fleet,
    checkpoints: new PostgresCheckpoints(asSqlClient(pool), new PostgresTransactions(pool)),
    fleetTopics: fleetTopics(config),
  });
  const audit = startAudit(parts);
  return {
    trouble: () => role.trouble(),
    setAside: () => [...role.setAside(), ...audit.setAside()],
    async stop() {
      await Promise.all([role.stop(), audit.stop()]);
    },
  };
}

type StartRole = (parts: Parts) => RunningRole | Promise<RunningRole>;

/** What each role starts, on the ports of the product; `api` is the server itself. */
export const ROLE_STARTERS: Readonly<Partial<Record<Role, StartRole>>> = {
  intake: startIntake,
  effects: startEffects,
  observe: startObserve,
  publish: startPublish,
  project: projectRole,
};
