import type { AppendResult, EffectChange, NewEvent, RecordedEvent, RemovedEffect } from '../event-store.ts';
import type { CheckedStream } from './checked-append.ts';
import { GENERATION, isDue, rowKey, type StreamRecord, type Tables } from './tables.ts';

/** Writes the streams that can be written, with all their rows; the others leave no trace. Cannot fail half-way: all was checked before. */
export function writeStreams(tables: Tables, streams: readonly CheckedStream[], jitter: number): AppendResult[] {
  const now = tables.now();
  let transactionId: string | undefined;
  return streams.map((stream): AppendResult => {
    const { streamId, expected } = stream;
    const reason = refusalOf(tables, stream);
    if (reason) return { ok: false, streamId, reason };
    if (stream.claim) endClaim(tables, stream, now);
    if (stream.events.length > 0) {
      writeEvents(tables, stream, now, (transactionId ??= tables.nextTransactionId()));
    } else if (stream.closed) {
      const head = tables.streams.get(streamId);
      if (head) head.closedAt ??= now;
    }
    const removedEffects = writeEffects(tables, stream, now);
    writeBeside(tables, stream, now, jitter);
    return { ok: true, streamId, version: expected + stream.events.length, removedEffects };
  });
}

function refusalOf(
  tables: Tables,
  { streamId, expected, events, claim }: CheckedStream,
): 'conflict' | 'claim-lost' | undefined {
  if (claim && tables.effects.get(streamId, claim.kind, claim.key)?.claimId !== claim.claimId) return 'claim-lost';
  if ((tables.streams.get(streamId)?.events.length ?? 0) !== expected) return 'conflict';
  // What is claimed belongs to a stream that exists.
  return claim && expected === 0 && events.length > 0 ? 'conflict' : undefined;
}

/** The row ends with the append; one that is put again is free first. */
function endClaim(tables: Tables, { streamId, claim, effects }: CheckedStream, now: number): void {
  const { kind, key } = claim!;
  const row = tables.effects.get(streamId, kind, key)!;
  if (effects.some((e) => e.op === 'put' && e.kind === kind && e.key === key)) {
    row.claimId = undefined;
    row.runAt = now;
  } else {
    tables.effects.remove(row);
  }
}

function writeEvents(tables: Tables, stream: CheckedStream, now: number, transactionId: string): void {
  const { streamId } = stream;
  let head = tables.streams.get(streamId);
  // A clock that steps back does not take a stream with it.
  const at = Math.max(now, head?.lastRecordedAt ?? now);
  const recordedAt = new Date(Math.floor(at)).toISOString();
  const recorded = stream.events.map((event, i) => {
    const row = recordedEvent(event, streamId, stream.expected + i + 1, recordedAt, transactionId, tables.log.length);
    tables.log.push(row);
    return row;
  });
  if (!head) {
    head = { events: [], openedAt: now, lastRecordedAt: now, closedAt: undefined } satisfies StreamRecord;
    tables.streams.set(streamId, head);
  }
  head.events = Object.freeze([...head.events, ...recorded]);
  head.lastRecordedAt = at;
  if (stream.closed) head.closedAt ??= now;
}

function recordedEvent(
  event: NewEvent,
  streamId: string,
  version: number,
  recordedAt: string,
  transactionId: string,
  before: number,
): RecordedEvent {
  const cursor = Object.freeze({ generation: GENERATION, transactionId, position: String(before + 1) });
  return Object.freeze({ ...event, streamId, version, cursor, recordedAt });
}

/** Removals first; returns those that went. */
function writeEffects(tables: Tables, { streamId, effects }: CheckedStream, now: number): readonly RemovedEffect[] {
  const removed: RemovedEffect[] = [];
  for (const effect of effects) {
    if (effect.op !== 'remove') continue;
    const row = tables.effects.get(streamId, effect.kind, effect.key);
    if (!row) continue;
    const inUse = row.sentEarlier || row.sentNow || (row.claimId !== undefined && !isDue(row, now));
    if (effect.unlessClaimed && inUse) continue;
    tables.effects.remove(row);
    removed.push({ kind: row.kind, key: row.key });
  }
  for (const effect of effects) if (effect.op === 'put') putEffect(tables, streamId, effect, now);
  return removed;
}

function putEffect(tables: Tables, streamId: string, effect: Extract<EffectChange, { op: 'put' }>, now: number): void {
  const { kind, key, lane, tenant, priority, data, sealed, claim } = effect;
  const runAt = now + (claim?.leaseMs ?? effect.afterMs);
  const claimId = claim?.claimId;
  const row = tables.effects.get(streamId, kind, key);
  if (!row) {
    const fresh = { streamId, kind, key, lane, tenant, priority, runAt, data, sealed, claimId, putAt: now };
    tables.effects.add({ ...fresh, attempts: claim ? 1 : 0, sentEarlier: false, sentNow: false });
    return;
  }
  // Writing a row twice is writing it once: one that a worker holds is left to it.
  if (row.claimId !== undefined && !isDue(row, now)) return;
  tables.effects.moveTo(row, lane);
  Object.assign(row, { tenant, priority, runAt, data, sealed, claimId });
  if (claim) row.attempts += 1;
  row.sentEarlier ||= row.sentNow;
  row.sentNow = false;
}

function writeBeside(tables: Tables, stream: CheckedStream, now: number, jitter: number): void {
  const { streamId, parked, sealed, eventKey } = stream;
  for (const timer of stream.timers) {
    const key = rowKey(streamId, timer.name);
    if (timer.op === 'remove') tables.timers.delete(key);
    else {
      const { name, dueAt, data } = timer;
      tables.timers.set(key, { streamId, name, dueAt, runAt: dueAt, data });
    }
  }
  for (const alias of stream.aliases) if (!tables.aliases.has(alias)) tables.aliases.set(alias, streamId);
  if (sealed === 'destroy') tables.sealed.delete(streamId);
  else if (sealed) tables.sealed.set(streamId, sealed);
  if (eventKey && tables.streams.has(streamId) && !tables.eventKeys.has(streamId))
    tables.eventKeys.set(streamId, { key: eventKey, forgottenAt: undefined });
  if (parked === null) tables.parked.delete(streamId);
  else if (parked) {
    tables.parked.set(streamId, { ...parked, since: now });
    shutGate(tables, parked.gate, now, jitter);
  }
}

/** The first stream that parks makes the gate, or shuts one that was open. */
function shutGate(tables: Tables, gate: string, now: number, jitter: number): void {
  const row = tables.gates.get(gate);
  if (row && row.state !== 'open') return;
  tables.gates.set(gate, {
    state: 'shut',
    intervalMs: 4_000,
    nextProbeAt: now + 4_000 * (0.8 + 0.4 * jitter),
    probing: false,
    budget: 0,
    credit: 0,
    streak: 0,
  });
}
