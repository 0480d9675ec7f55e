import { parseArgs } from 'node:util';
import { AlibabaEciClients } from '#libs/eci';
import { createPool, PostgresEffectQueue } from '#libs/event-store';
import { silentLogger } from '#libs/observability';
import { notGiven, SystemClock, SystemRandom, WrongUsage } from '#libs/runtime';
import { AccountDirectory } from '../accounts/account-directory.ts';
import { AccountEndpoints } from '../accounts/account-endpoints.ts';
import { Credentials } from '../accounts/credentials.ts';
import type { CommandContext, FleetCommand } from '../command-line/command.ts';
import { readConfig, type ControlPlaneConfig } from '../config.ts';
import { PROJECTIONS } from '../projections.ts';
import { canariesOf } from './canaries.ts';
import { accountsOf } from './gather-accounts.ts';
import { examine } from './examine.ts';
import type { Examination } from './look.ts';
import { lineOf, ORACLE_IDS, ORACLES, type OracleId } from './finding.ts';
import { quotasAtKafka } from './quotas-at-kafka.ts';
import { verifyChain } from './verify-chain.ts';

const HELP = `Looks at a live fleet and says what disagrees, and what to do. Reads only.

  npm run fleet -- doctor [--json] [--only O1,O4] [--quiet-seconds N]

  --only O1,O4        only these oracles; default all
  --quiet-seconds N   between a suspicion and the look that confirms it; default 5
  --json              one JSON object: findings, unchecked, looked

${ORACLE_IDS.map((id) => `  ${id.padEnd(4)}${ORACLES[id]}`).join('\n')}

Exit code: 0 = all that was asked for was checked and agrees, 1 = something disagrees or could not be checked, 2 = wrong usage.`;

export const doctorCommand: FleetCommand = {
  name: 'doctor',
  summary: 'compare streams, cloud, read models and inventories, and say what disagrees',
  help: HELP,
  async run(args, context) {
    const { json, only, quietMs } = readArguments(args);
    const config = readConfig(context.environment, { needsKafka: false });
    // No finding: somebody wrote down that it may be so.
    for (const { setting, host, why, allowedBy } of config.insecureTransports)
      context.complain(`not secure, as ${allowedBy} allows: ${setting} leads to ${host}, and ${why}`);
    const result = await examineFleet(config, context, { ...(only && { only }), quietMs, json });
    if (json) context.print(JSON.stringify(result));
    else report(result, context);
    return result.findings.length + result.unchecked.length === 0 ? 0 : 1;
  },
};

async function examineFleet(
  config: ControlPlaneConfig,
  { signal, complain }: CommandContext,
  { json, ...options }: { readonly only?: readonly OracleId[]; readonly quietMs: number; readonly json: boolean },
): Promise<Examination> {
  const pool = createPool(config.databaseUrl, { max: 4, applicationName: 'eci-fleet doctor', answerWithinMs: 0 });
  const clock = new SystemClock();
  try {
    const accounts = new AccountDirectory({
      pool,
      clock,
      effects: new PostgresEffectQueue(pool),
      credentials: new Credentials({
        configured: config.accounts.credentials,
        variable: config.variable,
        now: () => clock.now(),
        caFile: config.accounts.caFile,
      }),
      endpoints: new AccountEndpoints({ override: config.accounts.endpoint, listed: config.accounts.endpoints }),
      configured: config.accounts.accounts,
      // What it would say is a finding.
      logger: silentLogger,
    });
    const random = new SystemRandom();
    const patient = {
      pool,
      clients: new AlibabaEciClients((id) => accounts.find(id), { caFile: config.accounts.caFile }),
      fleet: config.fleet,
      clock,
      random,
      canaries: canariesOf(config),
      projections: PROJECTIONS,
      accounts: () => accountsOf(accounts),
      chain: (stopping?: AbortSignal) => verifyChain(config, clock.now(), stopping),
      quotas: (clusters: Parameters<typeof quotasAtKafka>[1]) => quotasAtKafka(config, clusters, { clock, random }),
    };
    return await examine(patient, { ...options, signal, ...(!json && { progress: complain }) });
  } finally {
    await pool.end();
  }
}

function readArguments(args: readonly string[]): {
  readonly json: boolean;
  readonly only: readonly OracleId[] | undefined;
  readonly quietMs: number;
} {
  let values: { json?: boolean | undefined; only?: string | undefined; 'quiet-seconds'?: string | undefined };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean' }, only: { type: 'string' }, 'quiet-seconds': { type: 'string' } },
    }));
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
  const seconds = Number(values['quiet-seconds'] ?? 5);
  if (!(seconds >= 0 && seconds <= 3600))
    throw new WrongUsage(`--quiet-seconds takes a number from 0 to 3600${notGiven(values['quiet-seconds'] ?? '')}`);
  const names = values.only?.split(',').map((name) => name.trim().toUpperCase());
  const wrong = names?.find((name) => !(name in ORACLES));
  if (wrong !== undefined)
    throw new WrongUsage(`--only knows ${ORACLE_IDS.join(', ')}, but not ${wrong === '' ? 'an empty name' : wrong}`);
  return { json: values.json ?? false, only: names as OracleId[] | undefined, quietMs: seconds * 1000 };
}

function report({ findings, unchecked, looked }: Examination, { print, complain }: CommandContext): void {
  for (const { oracle, at } of looked) complain(`${oracle} looked at ${at}`);
  for (const finding of findings) print(lineOf(finding));
  for (const { oracle, why } of unchecked) print(`${oracle}: could not check ${why}`);
  if (findings.length + unchecked.length === 0) print('All that was looked at agrees.');
}
