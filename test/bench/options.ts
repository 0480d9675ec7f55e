import { notGiven, WrongUsage } from '#libs/runtime';

export const BENCHES = [
  'append',
  'intents',
  'noisy',
  'wire',
  'running',
  'memory',
  'rebuild',
  'list',
  'center',
  'storm',
  'live',
] as const;
export type Bench = (typeof BENCHES)[number];

export interface Options {
  readonly only: readonly Bench[];
  /** Pods of each bench; undefined: its own default. */
  readonly pods: number | undefined;
  /** Folder for CPU profiles of control plane and agent. */
  readonly profile: string | undefined;
}

export const HELP = `How fast the fleet is, on real parts, each figure beside a baseline of the same run.

  npm run bench                      All of it: about an hour, most of it list, live and storm
  npm run bench -- --only wire       One or some of: ${BENCHES.join(', ')}
  npm run bench -- --pods 500        Pods of each bench. Default: append 40000 events, intents 10000, noisy 2000, wire 600, running and memory 1000, rebuild 1000000 events, list 10000000 rows, center 1000, storm 2000, live 10000
  npm run bench -- --profile FOLDER  Writes CPU profiles and metrics of control plane and agent there (browsers' developer tools open profiles)

  append   Events appended 50 streams a call over 8 connections. Baseline: a plain insert of the same events.
  intents  A backlog of sealed intents of about 4 KB in Kafka → events in PostgreSQL. Baseline: a plain insert of the same rows.
  noisy    Intents of calm clusters, sent → accepted, beside one that sends bytes of chance and values at their bounds, 100 a second. Baseline: without it, by turns.
  wire     Pods bound one at a time, at 20 a second and 100 at once → CreateContainerGroup at the cloud. Baseline: round trip of one create by the bare SDK.
  running  Bound pods → all Running in the API server. Baseline: status patches a second of the same API server.
  rebuild  The read model made anew from a million events. Baseline: reading the same events in order.
  list     Pages of the list of container groups at ten million rows. Baseline: one row by its primary key.
  memory   Resident memory of an agent with so many pods on its node, all Running.
  center   Sealed intents in Kafka → Running on the cluster's topic: processor time of a pod without Kubernetes. Baseline: shares of the parts.
  storm    Fifty clusters at once, two replicas, once for each published quota: how much of it is used, throttling, fairness. 10000 pods: 20 minutes.
  live     Groups that live while 16 a second change: cloud change → pod status, memory, what twice as many cost. Baseline: half as many.
`;

/** What `npm run bench` takes, as `parseArgs` wants it. */
export const OPTIONS = {
  only: { type: 'string' },
  pods: { type: 'string' },
  profile: { type: 'string' },
} as const;

type Given = { readonly [Name in keyof typeof OPTIONS]?: string | undefined };

/** Throws {@link WrongUsage}. */
export function readOptions(values: Given): Options {
  const only = (values.only ?? BENCHES.join(',')).split(',').map((name) => name.trim());
  const unknown = only.filter((name) => !(BENCHES as readonly string[]).includes(name));
  if (unknown.length > 0) throw new WrongUsage(`--only knows ${BENCHES.join(', ')}, not ${unknown.join(', ')}`);
  if (values.pods !== undefined && !/^[1-9]\d{0,5}$/.test(values.pods))
    throw new WrongUsage(`--pods must be a number from 1 to 999999${notGiven(values.pods)}`);
  return {
    only: BENCHES.filter((name) => only.includes(name)),
    pods: values.pods === undefined ? undefined : Number(values.pods),
    profile: values.profile,
  };
}
