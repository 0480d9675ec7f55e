import { stateChanged, type Refusal } from '../answers/refusal.ts';

/** What a decision about all held stops of a cluster is a decision on. */
export interface HoldState {
  /** Number of the hold that is active; 0 = none. */
  readonly hold: number;
  readonly held: number;
  readonly denied: number;
  /** Of the pods that wait or were denied. */
  readonly digest: string;
}

/**
 * Digest of the stops that nobody has decided on, for a query over `fleet.held_stop`. A decision that is under way is no part of it: it cannot be
 * decided again.
 */
export const HELD_DIGEST = `left(encode(sha256(convert_to(coalesce(string_agg(pod_uid || case when denied_at is null then '' else '!' end,
  ',' order by pod_uid collate "C") filter (where wanted is null), ''), 'UTF8')), 'hex'), 16)`;

/** Digest of no stop at all. */
export const NOTHING_HELD = 'e3b0c44298fc1c14';

/** `<cluster>/<number>` */
export const holdNumber = (id: string | null): number => (id === null ? 0 : Number(id.slice(id.lastIndexOf('/') + 1)));

/** As people and programs pass it on; it tells them apart what changed. */
const stateText = ({ hold, held, denied, digest }: HoldState): string => `${hold}-${held}-${denied}-${digest}`;

export const holdTag = (state: HoldState): string => `"${stateText(state)}"`;

/** Undefined when the state is the one that was stated; otherwise the refusal that says what changed. */
export function changedSince(stated: string, clusterId: string, now: HoldState): Refusal | undefined {
  if (stated === holdTag(now)) return undefined;
  const [, hold, held, denied] = /^"(\d{1,9})-(\d{1,9})-(\d{1,9})-[0-9a-f]{16}"$/.exec(stated) ?? [];
  const seen = hold === undefined ? undefined : { hold: Number(hold), held: Number(held), denied: Number(denied) };
  return stateChanged({
    what: `${seen === undefined ? 'that is no state of this hold' : `you decided on ${inWords(seen)}`}; now there are ${inWords(now)}${
      seen?.held === now.held && seen.denied === now.denied && seen.hold === now.hold ? ', other ones' : ''
    }`,
    read: `GET /api/v1/holds/${encodeURIComponent(clusterId)}`,
    etag: holdTag(now),
    details: { ...(seen === undefined ? {} : { seen }), now: { hold: now.hold, held: now.held, denied: now.denied } },
  });
}

const inWords = ({ hold, held, denied }: Omit<HoldState, 'digest'>): string =>
  `${held} held and ${denied} denied stops ${hold === 0 ? 'in no active hold' : `in hold ${hold}`}`;
