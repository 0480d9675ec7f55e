import { parseArgs } from 'node:util';
import { decodeJwt } from 'jose';
import { decodeCursor, InvalidCursor } from '#libs/event-store';
import { silentLogger } from '#libs/observability';
import { SystemClock, SystemRandom, WrongUsage } from '#libs/runtime';
import type { CommandContext, FleetCommand } from '../command-line/command.ts';
import { kafkaMessaging } from '../kafka.ts';
import { AccessTokens } from '../sessions/access-tokens.ts';
import { readAuditConfig, type AuditConfig } from './audit-config.ts';
import { AuditKeyRing } from './audit-key.ts';
import { readOnlyPool } from './read-only-pool.ts';
import { trustedKeys } from './trusted-keys.ts';
import { PublishedEvents } from './verify/compare-published.ts';
import { FolderCopy } from './verify/folder-copy.ts';
import { Findings } from './verify/finding.ts';
import type { Bound } from './verify/history.ts';
import { keysInPostgres, PostgresHistory } from './verify/postgres-history.ts';
import { PublishedCopy, type PublishedSeals } from './verify/published-copy.ts';
import { readFeed } from './verify/read-feed.ts';
import { reportJson, reportLines } from './verify/report.ts';
import type { SignedSince } from './verify/signature-check.ts';
import { verify } from './verify/verify.ts';

const HELP = `Checks that the log is as it was sealed, and names every event that is not. Reads only; may run beside a live fleet, or on a restored copy.

  npm run --silent fleet -- audit verify [options]

  --from <cursor|time>   begin at the seal that covers this place; default: the first
  --to <cursor|time>     end with the seal that covers this place; default: the newest, and what is not sealed yet
  --feed                 compare with the seals and events that the feed on Kafka holds (KAFKA_BROKERS)
  --roots <file>         compare with seals (and events) taken from the feed before: JSON lines of CloudEvents
  --seals-folder <path>  compare with the files of FLEET_SEALS_FOLDER
  --save-roots <file>    with --feed: keep the seals that were read, for --roots later; the file must not exist
  --require-signed-since <seal|time>
                         a seal from this number or time on without a signature of a trusted key is a finding
  --public-keys <file>   keys to trust: what \`audit keys\` printed when nothing was wrong (JWKS)
  --json                 one JSON object instead of lines

On a broker that asks for tokens (KAFKA_SECURITY=oauthbearer) --feed needs FLEET_AUDITOR_TOKEN, which \`audit token\` makes; no key that signs.
Times are ISO 8601 (2026-03-01T10:00:00Z); cursors are those of pages, events and seals. The public half of FLEET_AUDIT_KEY is trusted too,
where it is set. Without a trusted key only slips are found; without copies of the seals a log that was cut off at its end looks whole.

Exit codes: 0 all is as it was sealed, 1 something is not (or could not be read), 2 wrong usage or configuration.`;

interface Options {
  readonly from?: Bound;
  readonly to?: Bound;
  readonly feed: boolean;
  readonly roots?: string;
  readonly saveRoots?: string;
  readonly sealsFolder?: string;
  readonly publicKeys?: string;
  readonly signedSince?: SignedSince;
  readonly json: boolean;
}

/** `fleet audit verify` */
export const auditVerifyCommand: FleetCommand = {
  name: 'audit verify',
  summary: 'checks that no event was changed, removed or inserted, and names those that were',
  help: HELP,
  async run(args, context) {
    const options = optionsOf(args);
    const config = readAuditConfig(context.environment);
    if (options.feed) requireFeed(config);
    const trusted = await trustedKeys(options.publicKeys, config.auditKey);
    if (options.signedSince && trusted.length === 0)
      throw new WrongUsage('--require-signed-since needs a key to trust: give --public-keys, or FLEET_AUDIT_KEY');
    const clock = new SystemClock();
    const started = clock.now();
    const pool = readOnlyPool(config.databaseUrl);
    const findings = new Findings();
    let copy: (PublishedSeals & Partial<Pick<PublishedCopy, 'close'>>) | undefined;
    try {
      const history = await PostgresHistory.open(pool);
      const told = new PublishedEvents(history, findings, options);
      copy = await publishedCopy(options, config, told, context);
      const verified = await verify({
        history,
        trusted: new AuditKeyRing(trusted),
        untrusted: new AuditKeyRing(await keysInPostgres(pool)),
        findings,
        now: new Date(started).toISOString(),
        signal: context.signal,
        ...(copy && { published: copy }),
        ...(options.from && { from: options.from }),
        ...(options.to && { to: options.to }),
        ...(options.signedSince && { signedSince: options.signedSince }),
        onProgress: (events) => {
          if (events % 100_000 === 0) context.complain(`${events.toLocaleString('en')} events checked`);
        },
      });
      const facts = {
        verified,
        fleet: verified.lastSeal?.fleet ?? config.fleet,
        trusted: trusted.map(({ kid, from }) => ({ keyId: kid, from })),
        published: copy && { from: options.sealsFolder ?? options.roots ?? 'the feed', events: told.count },
        elapsedMs: clock.now() - started,
      };
      if (options.json) context.print(JSON.stringify(reportJson(facts)));
      else for (const line of reportLines(facts)) context.print(line);
      return verified.findings.length === 0 ? 0 : 1;
    } finally {
      await copy?.close?.();
      await pool.end();
    }
  },
};

function requireFeed({ kafka, auditorToken, tokenKey }: AuditConfig): void {
  if (kafka.brokers.length === 0) throw new WrongUsage('--feed needs KAFKA_BROKERS; give --roots <file> instead');
  if (kafka.security !== 'oauthbearer') return;
  if (auditorToken === undefined && tokenKey === undefined)
    throw new WrongUsage(
      'KAFKA_SECURITY: with oauthbearer --feed needs FLEET_AUDITOR_TOKEN: ask an operator for what `npm run fleet -- audit token` prints',
    );
  const expiredAt = auditorToken === undefined ? undefined : expiryOf(auditorToken);
  if (expiredAt !== undefined && expiredAt <= new SystemClock().now())
    throw new WrongUsage(
      `FLEET_AUDITOR_TOKEN: was good until ${new Date(expiredAt).toISOString()}: ask an operator for a new one (\`npm run fleet -- audit token\`)`,
    );
}

/** Epoch milliseconds; undefined when it does not say. Whether it is true is the broker's to find out. */
function expiryOf(token: string): number | undefined {
  try {
    const { exp } = decodeJwt(token);
    return exp === undefined ? undefined : exp * 1000;
  } catch {
    throw new WrongUsage('FLEET_AUDITOR_TOKEN: is no token: give what `npm run fleet -- audit token` printed');
  }
}

async function publishedCopy(
  options: Options,
  config: AuditConfig,
  told: PublishedEvents,
  { complain, signal }: CommandContext,
): Promise<PublishedCopy | FolderCopy | undefined> {
  const onEvents = (events: Parameters<PublishedEvents['compare']>[0]): Promise<void> => told.compare(events);
  if (options.sealsFolder !== undefined) return FolderCopy.open(options.sealsFolder);
  if (options.roots !== undefined) return PublishedCopy.fromFile(options.roots, onEvents);
  if (!options.feed) return undefined;
  const ports = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger };
  const messaging = kafkaMessaging(config, tokenOf(config), ports);
  try {
    return await readFeed({
      messaging,
      fleet: config.fleet,
      keep: options.saveRoots,
      onEvents,
      onTrouble: complain,
      signal,
    });
  } finally {
    await messaging.close();
  }
}

function tokenOf({ tokenKey, auditorToken, fleet, tokenIssuer: issuer, tokenAudience: audience }: AuditConfig) {
  return async (): Promise<string> => {
    if (auditorToken !== undefined) return auditorToken;
    return (
      await AccessTokens.open({ tokenKey: tokenKey!, fleet, issuer, audience, clock: new SystemClock() })
    ).tokenOfControlPlane();
  };
}

function optionsOf(args: readonly string[]): Options {
  const values = parsed(args);
  if (
    [values.feed === true, values.roots !== undefined, values['seals-folder'] !== undefined].filter(Boolean).length > 1
  )
    throw new WrongUsage('--feed, --roots and --seals-folder exclude each other: compare with one of them at a time');
  if (values['save-roots'] !== undefined && values.feed !== true) throw new WrongUsage('--save-roots needs --feed');
  return {
    feed: values.feed ?? false,
    json: values.json ?? false,
    ...(values.from !== undefined && { from: bound('--from', values.from) }),
    ...(values.to !== undefined && { to: bound('--to', values.to) }),
    ...(values.roots !== undefined && { roots: values.roots }),
    ...(values['save-roots'] !== undefined && { saveRoots: values['save-roots'] }),
    ...(values['seals-folder'] !== undefined && { sealsFolder: values['seals-folder'] }),
    ...(values['public-keys'] !== undefined && { publicKeys: values['public-keys'] }),
    ...(values['require-signed-since'] !== undefined && { signedSince: signedSince(values['require-signed-since']) }),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        from: { type: 'string' },
        to: { type: 'string' },
        feed: { type: 'boolean' },
        roots: { type: 'string' },
        'save-roots': { type: 'string' },
        'seals-folder': { type: 'string' },
        'public-keys': { type: 'string' },
        'require-signed-since': { type: 'string' },
        json: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
}

function signedSince(text: string): SignedSince {
  if (/^[1-9]\d{0,15}$/.test(text)) return { sequence: Number(text) };
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at))
    throw new WrongUsage(
      `--require-signed-since: ${text} is neither the number of a seal nor a time (2026-03-01T10:00:00Z)`,
    );
  return { time: new Date(at).toISOString().replace('Z', '000Z') };
}

/** A time begins with its year; a cursor never does. */
function bound(option: string, text: string): Bound {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const at = Date.parse(text);
    if (!Number.isNaN(at)) return { time: new Date(at).toISOString() };
  }
  try {
    return { cursor: decodeCursor(text) };
  } catch (error) {
    if (!(error instanceof InvalidCursor)) throw error;
    throw new WrongUsage(`${option}: ${text} is neither a time (2026-03-01T10:00:00Z) nor a cursor`);
  }
}
