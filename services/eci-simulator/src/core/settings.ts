import { type BucketShape, PUBLISHED_BUCKETS } from './buckets.ts';

/** From and to, milliseconds; drawn uniformly. */
export type Range = readonly [number, number];

export interface Latencies {
  /** Multiplies every latency below but the restart delays and `visibilityMs`. 1 = the figures expected of the real service, 0 = at once. */
  readonly factor: number;
  /** Answers, real milliseconds (a client's timeouts do not follow the simulated clock). */
  readonly createMs: Range;
  readonly deleteMs: Range;
  readonly describeMs: Range;
  /** Simulated milliseconds from here on. Scheduling → Pending. */
  readonly schedulingMs: Range;
  /** Pending → images pulled, without and with an image cache. */
  readonly pullingMs: Range;
  readonly pullingCachedMs: Range;
  /** The least that Terminating lasts. */
  readonly terminatingMs: Range;
  /** A new group is missing from every Describe for so long. */
  readonly visibilityMs: Range;
  /** What a running container takes to stop after SIGTERM, when no rule says otherwise. Not multiplied by `factor`. */
  readonly stopMs: number;
  /** First restart of a container, then doubling from `baseMs` to `capMs`, as the kubelet does. */
  readonly restart: { readonly firstMs: number; readonly baseMs: number; readonly capMs: number };
}

export interface AccountSettings {
  /** Error code of an unpaid account (`Account.Arrearage`), or false. */
  readonly arrears: string | false;
  /** `empty-lists`: Describe answers empty lists, as for a caller whose permission was taken. `denied`: Forbidden.RAM. */
  readonly permission: 'ok' | 'empty-lists' | 'denied';
  /** vCPU in open groups, per region. */
  readonly maxCpu: number;
  /** vCPU created per simulated day and region; null = no cap. */
  readonly dailyCpu: number | null;
}

/** What can be switched while the simulator runs. Facts that the cloud's documentation leaves open are switches here. */
export interface Settings {
  readonly signatures: 'verify' | 'off';
  readonly latencies: Latencies;
  /** Chance (0–1) that a create without stock is accepted and fails later, during Scheduling. */
  readonly asynchronousStockFailure: number;
  /** `first`: a repeated ClientToken is answered before stock and quota are looked at; `last`: after. */
  readonly tokenCheck: 'first' | 'last';
  /** Simulated milliseconds that a ClientToken is remembered. */
  readonly tokenMemoryMs: number;
  /** Answer to a delete of an id that is unknown or gone. */
  readonly deleteOfGone: 'ok' | 'not-found';
  /** Whether a delete knows a group at once, or only when reads show it; until then it is one of an unknown id. */
  readonly deleteOfUnseen: 'known' | 'unknown';
  /** Answer to a second delete while Terminating. */
  readonly deleteOfTerminating: 'ok' | 'incorrect-status';
  /** A vSwitch without addresses inside a list: passed over, or the whole request is refused. */
  readonly fullVSwitch: 'skip' | 'refuse';
  readonly throttleStatus: 400 | 429;
  /** Calls per account and action; `*` for actions not named; null = no limit. */
  readonly buckets: Readonly<Record<string, BucketShape | null>>;
  /** Buckets per (account, region, action) instead of per (account, action). */
  readonly bucketsPerRegion: boolean;
  readonly unknownParameters: 'reject' | 'ignore';
  /** Longest env value, characters. The docs say 256; whether ECI enforces it is not known. */
  readonly envValueMax: number;
  /** Final groups: all for `finalMs`, after that the latest `finalLast` per region; ScheduleFailed for `scheduleFailedMs`. */
  readonly retention: { readonly finalMs: number; readonly finalLast: number; readonly scheduleFailedMs: number };
  readonly account: AccountSettings;
  /** Differences of single accounts from `account`. */
  readonly accounts: Readonly<Record<string, Partial<AccountSettings>>>;
  /** Requests that the ledger remembers. */
  readonly ledgerRequests: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const DEFAULT_SETTINGS: Settings = {
  signatures: 'verify',
  latencies: {
    factor: 0.2,
    createMs: [150, 400],
    deleteMs: [100, 250],
    describeMs: [80, 200],
    schedulingMs: [1_000, 5_000],
    pullingMs: [5_000, 40_000],
    pullingCachedMs: [2_000, 10_000],
    terminatingMs: [500, 1_500],
    visibilityMs: [0, 0],
    stopMs: 1_000,
    restart: { firstMs: 1_000, baseMs: 10_000, capMs: 300_000 },
  },
  asynchronousStockFailure: 0,
  tokenCheck: 'first',
  tokenMemoryMs: 24 * HOUR,
  deleteOfGone: 'ok',
  deleteOfUnseen: 'known',
  deleteOfTerminating: 'ok',
  fullVSwitch: 'skip',
  throttleStatus: 400,
  buckets: PUBLISHED_BUCKETS,
  bucketsPerRegion: false,
  unknownParameters: 'reject',
  envValueMax: 256,
  retention: { finalMs: HOUR, finalLast: 100, scheduleFailedMs: 24 * HOUR },
  account: { arrears: false, permission: 'ok', maxCpu: 100_000, dailyCpu: null },
  accounts: {},
  ledgerRequests: 200_000,
};

export function accountSettings(settings: Settings, account: string): AccountSettings {
  return { ...settings.account, ...settings.accounts[account] };
}

/** What may be said in a change: any depth of the objects; lists, ranges and `buckets` are replaced whole. */
export type Change<T> = {
  readonly [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Change<T[K]> : T[K];
};

export function changed(settings: Settings, change: Change<Settings>): Settings {
  return merge(settings as unknown as Record<string, unknown>, change as Record<string, unknown>, [
    'buckets',
  ]) as unknown as Settings;
}

function merge(
  base: Record<string, unknown>,
  change: Record<string, unknown>,
  whole: readonly string[],
): Record<string, unknown> {
  const result = { ...base };
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) continue;
    const before = result[key];
    result[key] = isObject(value) && isObject(before) && !whole.includes(key) ? merge(before, value, []) : value;
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
