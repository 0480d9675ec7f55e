import { Given, readSections } from '#libs/configuration';
import { createPool } from '#libs/event-store';
import { notGiven, SystemClock, WrongUsage } from '#libs/runtime';
import { agoText, argumentsOf, operatorOf, table } from '../command-line/arguments.ts';
import type { CommandContext, FleetCommand } from '../command-line/command.ts';
import { database } from '../config/database.ts';
import { HoldDesk } from './hold-desk.ts';
import { HoldReader } from './hold-reader.ts';

const LIST_HELP = `Shows stops that the mass-delete guard holds: nobody was seen asking for them, and too many came at once.

  npm run fleet -- holds [<cluster>] [--json]

  <cluster>   its held stops, one a line; without it: clusters with holds

Exit code: 0 = nothing is held, 1 = something waits for a decision.`;

const DECIDE_HELP = (verdict: 'release' | 'deny'): string => `${
  verdict === 'release'
    ? 'Lets held stops happen: their container groups are deleted, at the quota of the account.'
    : 'Keeps pods running whose stops are held. They stay listed until they are released, end, or are there again.'
}

  npm run fleet -- holds ${verdict} <cluster> --only UID … [--reason TEXT] [--by NAME] [--yes]
  npm run fleet -- holds ${verdict} <cluster> --all [--state STATE] [--reason TEXT] [--by NAME] [--yes]

  --only   only these pods
  --all    all that is held in the cluster, and the guard counts anew
  --state  with --all: what you decided on, as the preview shows it; when other stops are held by now, nothing is decided${
    verdict === 'release' ? '.\n           A release of all needs it, since it cannot be undone' : ''
  }
  --by     who decides; default: your login

Without --yes it only shows what it would do, and the command that does it. Exit code: 0 = done or shown, 1 = nothing of it is held, or it has
changed, 2 = wrong usage.`;

interface Desk {
  readonly reader: HoldReader;
  readonly desk: HoldDesk;
}

async function withDesk<T>({ environment }: CommandContext, work: (desk: Desk) => Promise<T>): Promise<T> {
  const { databaseUrl } = readSections([database], new Given(environment));
  const pool = createPool(databaseUrl, { max: 2, applicationName: 'eci-fleet holds' });
  try {
    return await work({ reader: new HoldReader(pool), desk: new HoldDesk(pool) });
  } finally {
    await pool.end();
  }
}

async function list(args: readonly string[], context: CommandContext): Promise<number> {
  const given = argumentsOf(args, { json: { type: 'boolean' } });
  const [cluster, ...more] = given.words;
  if (more.length > 0) throw new WrongUsage(`name one cluster, or none${notGiven(given.words.join(' '))}`);
  return withDesk(context, async ({ reader }) => {
    const { items } = await reader.list(cluster);
    if (given.has('json')) for (const hold of items) context.print(JSON.stringify(hold));
    else if (items.length === 0) context.print('Nothing is held.');
    else if (cluster === undefined) showClusters(items, context);
    if (cluster !== undefined && items.length > 0) await showStops(reader, cluster, given.has('json'), context);
    return items.some(({ held }) => held > 0) ? 1 : 0;
  });
}

function showClusters(items: Awaited<ReturnType<HoldReader['list']>>['items'], { print }: CommandContext): void {
  const now = new SystemClock().now();
  const rows = items.map(({ clusterId, held, denied, underWay, since, active }) => [
    clusterId,
    String(held),
    String(denied),
    String(underWay),
    since === undefined ? '-' : agoText((now - Date.parse(since)) / 1000),
    active
      ? `${active.passed + active.asked} stops asked for, ${active.allowance} of ${active.population} groups allowed`
      : 'counts again',
  ]);
  for (const line of table([['CLUSTER', 'HELD', 'DENIED', 'UNDER WAY', 'OLDEST', 'GUARD'], ...rows])) print(line);
}

async function showStops(reader: HoldReader, cluster: string, json: boolean, { print }: CommandContext): Promise<void> {
  let cursor: string | undefined;
  if (!json) print('POD UID  POD  REASON  SINCE  STATE');
  do {
    const page = await reader.stops(cluster, { limit: 200, ...(cursor === undefined ? {} : { cursor }) });
    for (const stop of page.items) {
      if (json) {
        print(JSON.stringify(stop));
        continue;
      }
      const { podUid, namespace, name, reason, disruption, since, denied, underWay } = stop;
      const state = underWay ? `${underWay} under way` : denied ? `denied by ${denied.by}` : 'held';
      print(
        `${podUid}  ${namespace}/${name}  ${disruption ? `${reason} (${disruption})` : reason}  ${since}  ${state}`,
      );
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

async function decide(verdict: 'release' | 'deny', args: readonly string[], context: CommandContext): Promise<number> {
  const given = argumentsOf(args, {
    only: { type: 'string', multiple: true },
    all: { type: 'boolean' },
    state: { type: 'string' },
    reason: { type: 'string' },
    by: { type: 'string' },
    yes: { type: 'boolean' },
  });
  const [clusterId, ...more] = given.words;
  const named = given.list('only');
  if (clusterId === undefined || (more.length > 0 && !named))
    throw new WrongUsage(
      `name one cluster; pods go with --only${more.length > 0 ? notGiven(given.words.join(' ')) : ''}`,
    );
  const only = named && [...named, ...more];
  if (only?.length === 0) throw new WrongUsage('--only names no pod');
  if (given.has('all') === (only !== undefined)) throw new WrongUsage('name pods with --only, or say --all');
  const state = given.text('state');
  if (only !== undefined && state !== undefined) throw new WrongUsage('--state goes with --all');
  if (only === undefined && verdict === 'release' && given.has('yes') && state === undefined)
    throw new WrongUsage('releasing all cannot be undone: say --state with what the preview (without --yes) shows');
  const by = operatorOf(given.text('by'), context);
  const reason = given.text('reason');
  return withDesk(context, async ({ reader, desk }) => {
    const [hold] = (await reader.list(clusterId)).items;
    if (!hold) {
      context.complain(`nothing is held in ${clusterId}`);
      return 1;
    }
    if (!given.has('yes')) {
      const which = only === undefined ? `${hold.held + hold.denied} stops` : `${only.length} named pods`;
      const what =
        verdict === 'release'
          ? `let ${which} of ${clusterId} happen`
          : `keep the pods of ${which} of ${clusterId} running`;
      const how = only === undefined ? `--all --state ${hold.etag.replaceAll('"', '')} --yes` : '--yes';
      context.print(`Would ${what}. Nothing was decided: say ${how}.`);
      return 0;
    }
    const decided = await desk.decide({
      clusterId,
      verdict,
      by,
      which: only === undefined ? { all: true, ...(state === undefined ? {} : { stated: `"${state}"` }) } : { only },
      ...(reason === undefined ? {} : { reason }),
    });
    for (const uid of decided.notHeld) context.complain(`${uid} is not held`);
    const end = decided.ended === undefined ? '' : `; hold ${decided.ended} ended, the guard counts anew`;
    context.print(`${verdict === 'release' ? 'Released' : 'Denied'}: ${decided.stops} stops${end}.`);
    return decided.stops > 0 || decided.ended !== undefined ? 0 : 1;
  });
}

export const holdCommands: readonly FleetCommand[] = [
  { name: 'holds', summary: 'show stops that wait for an operator', help: LIST_HELP, run: list },
  {
    name: 'holds release',
    summary: 'let held stops happen',
    help: DECIDE_HELP('release'),
    run: (args, context) => decide('release', args, context),
  },
  {
    name: 'holds deny',
    summary: 'keep pods running whose stops are held',
    help: DECIDE_HELP('deny'),
    run: (args, context) => decide('deny', args, context),
  },
];
