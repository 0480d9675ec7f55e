import { checkEvent, checkStream, checkTimes, invalidAppend, invalidEvent } from './append-checks.ts';
import {
  boolArray,
  byteaArray,
  int2Array,
  int4Array,
  int8Array,
  jsonbArray,
  textArray,
  uuidArray,
} from './binary-array.ts';
import { canonicalEvent } from './digest.ts';
import type { EffectChange, InboxMove, NewEvent, StreamAppend } from './event-store.ts';
import { DEEPEST, isShallow, isStorable, isStorableJson } from './storable.ts';

/** Parameters of `es.append_2`, in their order, but for the inbox and the jitter. */
type AppendRequest = readonly (Buffer | string | null)[];

/** Rows beside the streams, in the order of the parameters. */
const BESIDE = ['put', 'removed', 'timers', 'parked', 'aliases', 'sealed'] as const;

export function appendRequest(streams: readonly StreamAppend[]): AppendRequest {
  const seen = new Set<string>();
  const events = new EventColumns();
  const touched: boolean[] = [];
  const claims: ((StreamAppend['claim'] & { readonly putAgain: boolean }) | undefined)[] = [];
  const beside: { [table: string]: object[] } = {};
  const lay = (table: string, row: object): void => void (beside[table] ??= []).push(row);
  const blobs: Uint8Array[] = [];
  const blob = (bytes: Uint8Array): number => blobs.push(bytes);

  streams.forEach((stream, index) => {
    const s = index + 1;
    const { streamId } = stream;
    checkStream(stream, seen);

    stream.events.forEach((event, i) => {
      const version = stream.expected + i + 1;
      try {
        events.add(s, streamId, version, event);
      } catch (error) {
        throw invalidAppend([stream], invalidEvent(event, version, error));
      }
    });

    const effects = lastOfEach(stream.effects ?? []);
    const { claim } = stream;
    touched.push(effects.length > 0 || claim !== undefined);
    const putAgain = (e: EffectChange): boolean => e.op === 'put' && e.kind === claim?.kind && e.key === claim.key;
    claims.push(claim && { ...claim, putAgain: effects.some(putAgain) });
    for (const effect of effects) {
      if (effect.op === 'put') lay('put', putRow(s, effect, blob));
      else lay('removed', { s, kind: effect.kind, key: effect.key, unless_claimed: effect.unlessClaimed });
    }
    checkTimes(stream);
    for (const timer of new Map((stream.timers ?? []).map((t) => [t.name, t])).values()) {
      lay(
        'timers',
        timer.op === 'put'
          ? { s, op: 'put', name: timer.name, due_at: timer.dueAt, data: timer.data }
          : { s, ...timer },
      );
    }
    if (stream.parked !== undefined) lay('parked', { s, ...stream.parked });
    for (const alias of new Set(stream.aliases)) lay('aliases', { s, alias });
    if (stream.sealed === 'destroy') lay('sealed', { s });
    else if (stream.sealed) {
      const { wrappedKey, keyId, sealed } = stream.sealed.put;
      lay('sealed', { s, key_id: keyId, wrapped: blob(wrappedKey), blob: blob(sealed) });
    }
  });

  const names = [...streams.map(({ streamId }) => streamId), ...events.types];
  for (const claim of claims) if (claim) names.push(claim.kind, claim.key, claim.claimId);
  for (const { eventKey } of streams) if (eventKey) names.push(eventKey.keyId);
  if (!names.every(isStorable)) throw invalidAppend(streams);
  // Data lies in a row of a list.
  const rows = BESIDE.map((table) => (beside[table] ? checkedJson(beside[table], DEEPEST + 2, streams) : null));
  for (const json of events.data) if (!canBeStored(json, DEEPEST)) throw invalidAppend(streams);
  for (const json of events.metadata) if (!canBeStored(json, DEEPEST)) throw invalidAppend(streams);
  const someClaim = claims.some((claim) => claim !== undefined);
  return [
    textArray(streams.map(({ streamId }) => streamId)),
    int8Array(streams.map(({ expected }) => expected)),
    int4Array(streams.map(({ events: { length } }) => length)),
    boolArray(streams.map(({ closed }) => closed === true)),
    boolArray(touched),
    someClaim ? textArray(claims.map((claim) => claim?.kind ?? null)) : null,
    someClaim ? textArray(claims.map((claim) => claim?.key ?? null)) : null,
    someClaim ? textArray(claims.map((claim) => claim?.claimId ?? null)) : null,
    someClaim ? boolArray(claims.map((claim) => claim?.putAgain === true)) : null,
    ...events.arrays(),
    ...rows,
    blobs.length > 0 ? byteaArray(blobs) : null,
  ];
}

/** The parameter behind those of {@link appendRequest}; undefined when no stream brings a key. */
export function eventKeysJson(streams: readonly StreamAppend[]): string | undefined {
  const rows = streams.flatMap(({ eventKey }, index) =>
    eventKey
      ? [{ s: index + 1, key_id: eventKey.keyId, wrapped: Buffer.from(eventKey.wrappedKey).toString('base64') }]
      : [],
  );
  return rows.length === 0 ? undefined : JSON.stringify(rows);
}

export function inboxJson(move: InboxMove): string {
  const { group, ...rest } = move;
  return JSON.stringify({ consumer_group: group, ...rest });
}

/** Events of all streams, column by column. */
class EventColumns {
  readonly types: string[] = [];
  readonly data: string[] = [];
  readonly metadata: string[] = [];
  private readonly streams: number[] = [];
  private readonly versions: number[] = [];
  private readonly eventIds: string[] = [];
  private readonly schemaVersions: number[] = [];
  private readonly digests: Uint8Array[] = [];

  add(s: number, streamId: string, version: number, event: NewEvent): void {
    checkEvent(event);
    const { eventId, data, metadata, digest } = canonicalEvent(streamId, version, event);
    this.streams.push(s);
    this.versions.push(version);
    this.eventIds.push(eventId);
    this.types.push(event.type);
    this.schemaVersions.push(event.schemaVersion);
    this.data.push(data);
    this.metadata.push(metadata);
    this.digests.push(digest);
  }

  arrays(): readonly Buffer[] {
    return [
      int4Array(this.streams),
      int8Array(this.versions),
      uuidArray(this.eventIds),
      textArray(this.types),
      int2Array(this.schemaVersions),
      jsonbArray(this.data),
      jsonbArray(this.metadata),
      byteaArray(this.digests),
    ];
  }
}

function putRow(s: number, effect: Extract<EffectChange, { op: 'put' }>, blob: (bytes: Uint8Array) => number): object {
  return {
    s,
    kind: effect.kind,
    key: effect.key,
    lane: effect.lane,
    tenant: effect.tenant,
    priority: effect.priority,
    after_ms: effect.afterMs,
    data: effect.data,
    blob: effect.sealed && blob(effect.sealed),
    claim_id: effect.claim?.claimId,
    lease_ms: effect.claim?.leaseMs,
  };
}

/** One change for each row: the last that was said of it. */
export function lastOfEach(effects: readonly EffectChange[]): readonly EffectChange[] {
  return effects.length < 2 ? effects : [...new Map(effects.map((e) => [JSON.stringify([e.kind, e.key]), e])).values()];
}

/** `streams`: of which the rows are. */
function checkedJson(rows: readonly object[], levels: number, streams: readonly StreamAppend[]): string {
  let json: string;
  try {
    json = JSON.stringify(rows);
  } catch (error) {
    throw invalidAppend(streams, error);
  }
  if (!canBeStored(json, levels)) throw invalidAppend(streams);
  return json;
}

const canBeStored = (json: string, levels: number): boolean => isStorableJson(json) && isShallow(json, levels);
