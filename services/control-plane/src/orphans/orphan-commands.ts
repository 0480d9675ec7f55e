import { durationMs, Given, readSections } from '#libs/configuration';
import { sumOfCosts } from '#libs/domain';
import { createPool, PostgresEventStore, PostgresTransactions } from '#libs/event-store';
import { notGiven, SystemClock, SystemIds, WrongUsage } from '#libs/runtime';
import { agoText, argumentsOf, operatorOf, table } from '../command-line/arguments.ts';
import type { CommandContext, FleetCommand } from '../command-line/command.ts';
import { database } from '../config/database.ts';
import { entityTag } from '../answers/entity-tag.ts';
import { Refusal } from '../answers/refusal.ts';
import { OrphanDecisions } from './decide-orphan.ts';
import { PromptEventStore } from '../streams/prompt-store.ts';
import { orphanCaseProjection } from './orphan-case-projection.ts';
import { OrphanReader } from './orphan-reader.ts';
import { OrphanStreams } from './orphan-streams.ts';
import { orphans } from './variables.ts';
import { ORPHAN_STATES, type OrphanFilter, type OrphanView, type OrphanViewState } from './orphan-view.ts';

const LIST_HELP = `Lists container groups in the cloud that carry this fleet's tag and belong to no stream, with what they cost in an hour.

  npm run fleet -- orphans [list] [--account A] [--region R] [--state S] [--json]

  --state   ${ORPHAN_STATES.join(', ')}; default: all that are open
  --json    one JSON object a line

Costs are estimates: on-demand list prices (FLEET_PRICES) times the size that the cloud names. Exit code: 0, also when there are orphans.`;

const REMOVE_HELP = `Asks for the removal of orphans. Without --yes it only shows what it would remove, and what that costs in an hour.

  npm run fleet -- orphans remove <id …> [--reason TEXT] [--by NAME] [--yes]
  npm run fleet -- orphans remove --all [--older-than 1h] [--account A] [--region R] [--reason TEXT] [--by NAME] [--state STATE --yes]

  <id>          <account>/<region>/<container group id>, or the id that ECI gave the group
  --all         every orphan in quarantine (not those that were kept)
  --state       with --all and --yes: what you decided on, as the preview shows it; when it is not the same orphans by now, none is removed
  --older-than  only groups that were created longer ago: a number with s, m, h or d
  --by          who decides; default: your login

The control plane deletes them, after it has looked once more whether each still carries the fleet's tag, is open, and is known to no stream.
Exit code: 0 = done or shown, 1 = some could not be removed, 2 = wrong usage.`;

const KEEP_HELP = `Lets an orphan live. It stays listed as kept, and neither the policy nor anybody else asks again.

  npm run fleet -- orphans keep <id …> --reason TEXT [--by NAME]

Exit code: 0 = done, 1 = some could not be kept, 2 = wrong usage.`;

interface Desk {
  readonly reader: OrphanReader;
  readonly decisions: OrphanDecisions;
}

/** What the commands work with, on the control plane's own database. */
async function withDesk<T>({ environment }: CommandContext, work: (desk: Desk) => Promise<T>): Promise<T> {
  const { databaseUrl, prices } = readSections([database, orphans], new Given(environment));
  const pool = createPool(databaseUrl, { max: 2, applicationName: 'eci-fleet orphans' });
  try {
    const reader = new OrphanReader({ pool, prices });
    const streams = new OrphanStreams({
      store: new PromptEventStore({
        inner: new PostgresEventStore(pool),
        projections: [orphanCaseProjection],
        transactions: new PostgresTransactions(pool),
      }),
      clock: new SystemClock(),
      ids: new SystemIds(),
    });
    return await work({ reader, decisions: new OrphanDecisions({ reader, streams }) });
  } finally {
    await pool.end();
  }
}

async function list(args: readonly string[], context: CommandContext): Promise<number> {
  const given = argumentsOf(args, { ...PLACE, state: { type: 'string' }, json: { type: 'boolean' } });
  if (given.words.length > 0) throw new WrongUsage(`${given.words.join(' ')} is not understood`);
  const state = given.text('state');
  if (state !== undefined && !ORPHAN_STATES.includes(state as OrphanViewState))
    throw new WrongUsage(`--state knows ${ORPHAN_STATES.join(', ')}${notGiven(state)}`);
  const filter = { ...placeOf(given), ...(state === undefined ? {} : { state: state as OrphanViewState }) };
  const orphans = await withDesk(context, ({ reader }) => reader.all(filter));
  if (given.has('json')) for (const orphan of orphans) context.print(JSON.stringify(orphan));
  else show(orphans, context);
  return 0;
}

async function remove(args: readonly string[], context: CommandContext): Promise<number> {
  const given = argumentsOf(args, {
    ...PLACE,
    all: { type: 'boolean' },
    'older-than': { type: 'string' },
    state: { type: 'string' },
    reason: { type: 'string' },
    by: { type: 'string' },
    yes: { type: 'boolean' },
  });
  const olderThan = given.text('older-than');
  const olderMs = olderThan === undefined ? 0 : durationMs(olderThan);
  if (olderMs === undefined)
    throw new WrongUsage(`--older-than takes a number with s, m, h or d, such as 1h${notGiven(olderThan ?? '')}`);
  if (given.has('all') === given.words.length > 0) throw new WrongUsage('name orphans, or say --all');
  if (!given.has('all') && (olderThan !== undefined || given.text('account') || given.text('region')))
    throw new WrongUsage('--older-than, --account and --region go with --all');
  const state = given.text('state');
  if (!given.has('all') && state !== undefined) throw new WrongUsage('--state goes with --all');
  if (given.has('all') && given.has('yes') && state === undefined)
    throw new WrongUsage('removing all cannot be undone: say --state with what the preview (without --yes) shows');
  const by = operatorOf(given.text('by'), context);
  const reason = given.text('reason');
  return withDesk(context, async ({ reader, decisions }) => {
    const chosen = given.has('all')
      ? (await reader.all({ ...placeOf(given), state: 'quarantined' })).filter(
          ({ ageSeconds }) => olderMs === 0 || (ageSeconds ?? 0) * 1000 >= olderMs,
        )
      : await Promise.all(given.words.map((id) => reader.get(id)));
    show(chosen, context);
    if (chosen.length === 0) return 0;
    const now = stateOf(chosen);
    if (!given.has('yes')) {
      const how = given.has('all') ? `--state ${now} --yes` : '--yes';
      context.print(`Nothing was removed. Say ${how} to remove ${count(chosen.length)}.`);
      return 0;
    }
    if (state !== undefined && state !== now) {
      const seen = /^(\d{1,9})-/.exec(state)?.[1];
      context.complain(
        `these are not the orphans that you decided on${seen === undefined ? '' : ` (${count(Number(seen))})`}: nothing was removed; look again, and say --state ${now}`,
      );
      return 1;
    }
    return each(chosen, context, 'is being removed', ({ id, etag }) =>
      decisions.remove(id, { said: by, stated: etag }, { actor: `operator:${by}`, reason }),
    );
  });
}

async function keep(args: readonly string[], context: CommandContext): Promise<number> {
  const given = argumentsOf(args, { reason: { type: 'string' }, by: { type: 'string' } });
  const reason = given.text('reason');
  if (given.words.length === 0) throw new WrongUsage('name the orphans to keep');
  if (!reason) throw new WrongUsage('--reason says why they may live');
  const by = operatorOf(given.text('by'), context);
  return withDesk(context, async ({ reader, decisions }) => {
    const chosen = await Promise.all(given.words.map((id) => reader.get(id)));
    return each(chosen, context, 'is kept', ({ id }) =>
      decisions.keep(id, { said: by, reason }, { actor: `operator:${by}`, reason }),
    );
  });
}

/** One after another; those that cannot be decided are said, and do not keep the others from it. */
async function each(
  orphans: readonly OrphanView[],
  { print, complain, signal }: CommandContext,
  done: string,
  decide: (orphan: OrphanView) => Promise<OrphanView>,
): Promise<number> {
  let failed = 0;
  for (const orphan of orphans) {
    if (signal.aborted) return 1;
    try {
      await decide(orphan);
      print(`${orphan.id} ${done}`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      failed += 1;
      complain(error.message);
    }
  }
  return failed === 0 ? 0 : 1;
}

const PLACE = { account: { type: 'string' }, region: { type: 'string' } } as const;

function placeOf(given: { text(name: string): string | undefined }): Pick<OrphanFilter, 'account' | 'region'> {
  const [account, region] = [given.text('account'), given.text('region')];
  return { ...(account === undefined ? {} : { account }), ...(region === undefined ? {} : { region }) };
}

function show(orphans: readonly OrphanView[], { print }: CommandContext): void {
  if (orphans.length === 0) return print('No orphans.');
  const rows = orphans.map((orphan) => {
    const { tags, ageSeconds, cost } = orphan;
    return [
      orphan.id,
      orphan.state,
      orphan.status,
      ageSeconds === undefined ? '?' : agoText(ageSeconds),
      cost.kind === 'estimated' ? `${cost.perHour.toFixed(4)} ${cost.currency}` : `unknown (${cost.why})`,
      tags.namespace || tags.name ? `${tags.namespace ?? '?'}/${tags.name ?? '?'}` : '-',
      tags.clusterId ?? '-',
      orphan.why,
    ];
  });
  const head = ['ORPHAN', 'STATE', 'STATUS', 'AGE', 'PER HOUR (ESTIMATED)', 'POD', 'CLUSTER', 'WHY'];
  for (const line of table([head, ...rows])) print(line);
  const { perHour, unknown } = sumOfCosts(orphans.map(({ cost }) => cost));
  const sums = Object.entries(perHour).map(([currency, amount]) => `${amount.toFixed(4)} ${currency}`);
  const rest = unknown > 0 ? `, ${unknown} of unknown cost` : '';
  print(`${count(orphans.length)}; estimated ${sums.join(' + ') || '0'} an hour at list prices${rest}.`);
}

/** What a decision on these orphans rests on. */
const stateOf = (orphans: readonly OrphanView[]): string =>
  `${orphans.length}-${entityTag(orphans.map(({ etag }) => etag)).slice(1, -1)}`;

const count = (orphans: number): string => `${orphans} ${orphans === 1 ? 'orphan' : 'orphans'}`;

export const orphanCommands: readonly FleetCommand[] = [
  {
    name: 'orphans',
    summary: 'list container groups that belong to nobody, with their cost',
    help: LIST_HELP,
    run: list,
  },
  { name: 'orphans list', summary: 'the same', help: LIST_HELP, run: list },
  { name: 'orphans remove', summary: 'remove orphans, after a preview', help: REMOVE_HELP, run: remove },
  { name: 'orphans keep', summary: 'let orphans live, and ask nobody again', help: KEEP_HELP, run: keep },
];
