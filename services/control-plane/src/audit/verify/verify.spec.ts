import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '#libs/event-store';
import { AuditKey, AuditKeyRing, AuditSigner } from '../audit-key.ts';
import { makeSeal, type FullSeal } from '../seal.ts';
import type { Finding } from './finding.ts';
import {
  headsOf,
  logOf,
  MemoryHistory,
  publishedSeals,
  sealsOf,
  storedEvent,
  type StoredEvent,
} from '../../../spec/audit/sealed-log.ts';
import type { SignedSince } from './signature-check.ts';
import { verify, type VerifyOptions } from './verify.ts';

const newSigner = (): AuditSigner =>
  new AuditSigner(AuditKey.parse(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })));
const signer = newSigner();
const mallory = newSigner();
const trusted = new AuditKeyRing([signer.publicKey]);
const untrusted = new AuditKeyRing([signer.publicKey, mallory.publicKey]);
const nobody = new AuditKeyRing([]);

const run = (
  events: readonly StoredEvent[],
  seals: readonly FullSeal[],
  more: Partial<VerifyOptions> = {},
  heads = headsOf(events),
): ReturnType<typeof verify> =>
  verify({ history: new MemoryHistory(events, seals, heads), trusted, untrusted, ...more });

const name = (e: { streamId: string; version: number }): string => `${e.streamId}@${e.version}`;
const namedIn = (findings: readonly Finding[]): string[] =>
  findings.flatMap(({ kind, event }) => (event ? [`${kind} ${name(event)}`] : []));

type Attack = 'content' | 'type' | 'time' | 'remove' | 'insert' | 'swap';

/** What somebody with every right does to one event; answers what must be named. */
function attack(events: StoredEvent[], at: number, how: Attack, recomputed: boolean): string[] {
  const target = events[at]!;
  const rewrite = (change: Partial<StoredEvent>): void => {
    const changed = { ...target, ...change };
    if (recomputed) changed.storedDigest = digestOf(changed.streamId, changed.version, changed.event).toString('hex');
    events[at] = changed;
  };
  switch (how) {
    case 'content':
      rewrite({ event: { ...target.event, data: { n: 'forged' } } });
      return [`changed-event ${name(target)}`];
    case 'type':
      rewrite({ event: { ...target.event, type: 'Forged' } });
      return [`changed-event ${name(target)}`];
    case 'time':
      rewrite({ recordedAt: '2025-01-01T00:00:00.000000Z' });
      return [`changed-event ${name(target)}`];
    case 'remove':
      events.splice(at, 1);
      return [`missing-event ${name(target)}`];
    case 'insert': {
      // In the same transaction, before the target: inside the stretch of the target's seal.
      const forged = storedEvent(at, 's:forged', 1, { ...target.cursor, position: '0' });
      events.splice(at, 0, forged);
      return [`inserted-event ${name(forged)}`];
    }
    case 'swap': {
      const next = events[at + 1]!;
      events[at] = { ...target, cursor: next.cursor };
      events[at + 1] = { ...next, cursor: target.cursor };
      return [`moved-event ${name(next)}`];
    }
  }
}

const worlds = fc.record({
  sizes: fc.array(fc.integer({ min: 2, max: 9 }), { minLength: 1, maxLength: 6 }),
  pick: fc.nat(),
  how: fc.constantFrom<Attack>('content', 'type', 'time', 'remove', 'insert', 'swap'),
  recomputed: fc.boolean(),
});

/** A sealed log and the place of the attack: an event, its batch, and what comes after it in the batch. */
function world(sizes: readonly number[], pick: number, how: Attack) {
  const total = sizes.reduce((a, b) => a + b, 0);
  const events = logOf(total);
  const seals = sealsOf(events, sizes, signer);
  let at = pick % total;
  let [seal, end] = [1, sizes[0]!];
  while (at >= end) {
    end += sizes[seal]!;
    seal += 1;
  }
  // Two of one batch change places.
  if (how === 'swap' && at === end - 1) at -= 1;
  return { events, seals, at, seal };
}

describe('audit verify', () => {
  it('finds nothing in a log that is as it was sealed, and says what it has proven', async () => {
    const events = logOf(23);
    const seals = sealsOf(events, [5, 1, 14], signer);
    const verified = await run(events, seals, { published: publishedSeals(seals) });
    expect(verified.findings).toEqual([]);
    expect(verified).toMatchObject({
      seals: 3,
      sealedEvents: 20,
      events: 23,
      unsealed: { events: 3, since: events[20]!.recordedAt },
      compared: { seals: 3, first: 1, last: 3 },
      signatures: { good: 3, unsigned: 0, last: { sequence: 3 } },
    });
  });

  it('names any single event that was changed, removed, inserted or moved, also when its digest was computed anew', () =>
    fc.assert(
      fc.asyncProperty(worlds, async ({ sizes, pick, how, recomputed }) => {
        const { events, seals, at, seal } = world(sizes, pick, how);
        const heads = headsOf(events);
        const expected = attack(events, at, how, recomputed);
        const { findings } = await run(events, seals, {}, how === 'remove' ? heads : headsOf(events));
        expect([...new Set(namedIn(findings))]).toEqual(expected);
        expect(findings.every((finding) => finding.seal === undefined || finding.seal === seal)).toBe(true);
      }),
      { numRuns: 30 },
    ));

  it('names the event by the published seals when digests, seals and all that follows were computed anew', () =>
    fc.assert(
      fc.asyncProperty(worlds, fc.boolean(), async ({ sizes, pick, how }, resigned) => {
        const { events, seals, at, seal } = world(sizes, pick, how);
        const published = publishedSeals(seals);
        const expected = attack(events, at, how, true);
        const batch = how === 'remove' ? -1 : how === 'insert' ? 1 : 0;
        const sorted = events.toSorted((a, b) => Number(a.cursor.transactionId) - Number(b.cursor.transactionId));
        const forged = sealsOf(
          sorted,
          sizes.map((size, i) => (i === seal - 1 ? size + batch : size)),
          resigned ? mallory : undefined,
        );
        const { findings } = await run(events, forged, { published });
        expect([...new Set(namedIn(findings))]).toEqual(expected);
        const first = findings.find(({ kind }) => kind === 'changed-seal');
        expect(first?.seal).toBe(1);
      }),
      { numRuns: 40 },
    ));

  it('names the first batch that the key did not sign when all was computed anew from there on', () =>
    fc.assert(
      fc.asyncProperty(worlds, fc.constantFrom('mallory', 'nobody', 'old'), async ({ sizes, pick, how }, who) => {
        const { events, seals, at, seal } = world(sizes, pick, how);
        attack(events, at, how, true);
        const batch = how === 'remove' ? -1 : how === 'insert' ? 1 : 0;
        const sorted = events.toSorted((a, b) => Number(a.cursor.transactionId) - Number(b.cursor.transactionId));
        const forged = sealsOf(
          sorted,
          sizes.map((size, i) => (i === seal - 1 ? size + batch : size)),
          (sequence) => (sequence < seal || who === 'old' ? signer : who === 'mallory' ? mallory : undefined),
        ).map((made, i) => (who === 'old' ? { ...made, signature: seals[i]!.signature! } : made));
        const { findings } = await run(events, forged);
        // An event that was taken out of the middle of its stream is missed as well.
        const bySeal = findings.filter(({ event }) => event === undefined);
        expect(bySeal[0]).toMatchObject({ kind: who === 'old' ? 'bad-signature' : 'unsigned', seal });
      }),
      { numRuns: 30 },
    ));

  it('names what was cut off at the end, by what was published', async () => {
    const events = logOf(20);
    const seals = sealsOf(events, [5, 5, 5, 5], signer);
    const left = events.slice(0, 13);
    const { findings } = await run(left, seals.slice(0, 2), { published: publishedSeals(seals) });
    expect(namedIn(findings)).toEqual(events.slice(13).map((e) => `missing-event ${name(e)}`));
    expect(findings.filter(({ kind }) => kind === 'missing-seal').map(({ seal }) => seal)).toEqual([3, 4]);
    // Without the published copies a shorter log is a log: that is why there are copies.
    expect((await run(left, seals.slice(0, 2))).findings).toEqual([]);
  });

  it('sees by the head of its stream that an event was cut off which nobody had sealed yet', async () => {
    const events = logOf(7);
    const seals = sealsOf(events, [5], signer);
    const { findings } = await run(events.slice(0, 6), seals, {}, headsOf(events));
    expect(namedIn(findings)).toEqual([`missing-event ${name(events[6]!)}`]);
  });

  it('finds a seal that was taken out of the middle, and one that was put together from two', async () => {
    const events = logOf(15);
    const seals = sealsOf(events, [5, 5, 5], signer);
    const without = await run(events, [seals[0]!, seals[2]!]);
    expect(without.findings).toMatchObject([{ kind: 'missing-seal', seal: 2 }]);
    const beginning = await run(events, seals.slice(1));
    expect(beginning.findings).toMatchObject([{ kind: 'missing-seal', seal: 1 }]);
    const from = await run(events, seals.slice(1), { from: { cursor: events[12]!.cursor } });
    expect(from).toMatchObject({ findings: [], sealedEvents: 5 });
    const merged = sealsOf(events, [10, 5], undefined);
    const { findings } = await run(events, merged, { published: publishedSeals(seals) });
    expect(findings.map(({ kind, seal }) => [kind, seal])).toContainEqual(['changed-seal', 1]);
    expect(namedIn(findings)).toEqual([]);
  });

  it.each<[string, (seal: FullSeal) => FullSeal]>([
    ['time', (seal) => ({ ...seal, sealedAt: '2020-01-01T00:00:00.000Z' })],
    ['number of events', (seal) => ({ ...seal, events: seal.events + 1 })],
    ['fleet', (seal) => ({ ...seal, fleet: 'another' })],
    ['root', (seal) => ({ ...seal, merkleRoot: '11'.repeat(32) })],
    ['predecessor', (seal) => ({ ...seal, previous: '11'.repeat(32) })],
    ['end', (seal) => ({ ...seal, through: { ...seal.through, position: '1' } })],
    ['digest', (seal) => ({ ...seal, digest: '11'.repeat(32) })],
  ])('finds a seal whose %s was changed', async (_, change) => {
    const events = logOf(15);
    const seals = sealsOf(events, [5, 5, 5], signer);
    const { findings } = await run(events, seals.with(1, change(seals[1]!)), { trusted: nobody });
    expect(findings.length).toBeGreaterThan(0);
    expect(findings[0]?.seal).toBe(2);
  });

  it('finds a signature that was taken away, and says what the published copy is worth', async () => {
    const events = logOf(10);
    const seals = sealsOf(events, [5, 5], signer);
    const { signature: _, ...bare } = seals[0]!;
    expect((await run(events, [bare, seals[1]!])).findings).toMatchObject([{ kind: 'bad-signature', seal: 1 }]);
    const forged = sealsOf(events, [5, 5], mallory);
    const { findings } = await run(events, forged, { published: publishedSeals(seals) });
    expect(findings[0]?.checks[0]).toContain('signed by trusted key');
    const swapped = await run(events, seals, { published: publishedSeals(forged) });
    expect(swapped.findings[0]?.checks[0]).toContain('not signed by a trusted key');
  });

  it('takes published copies that are no evidence for what they are', async () => {
    const events = logOf(5);
    const seals = sealsOf(events, [5], signer);
    const published = { ...publishedSeals(seals), forked: [1], unsound: [1], unreadable: 2 };
    const { findings } = await run(events, seals, { published });
    expect(findings.map(({ kind }) => kind)).toEqual(['published-copy', 'published-copy', 'published-copy']);
  });

  it('says so when the list of a seal was changed with its events', async () => {
    const events = logOf(10);
    const seals = sealsOf(events, [5, 5], signer);
    attack(events, 6, 'content', true);
    const forged = sealsOf(events, [5, 5], signer)[1]!;
    const { findings } = await run(events, [seals[0]!, { ...seals[1]!, entries: forged.entries }]);
    expect(findings).toMatchObject([{ kind: 'changed-seal', seal: 2 }]);
    expect(findings[0]?.checks[0]).toContain('add up');
  });

  it('counts seals from before the first signature as proven since then', async () => {
    const events = logOf(15);
    const seals = sealsOf(events, [5, 5, 5], (sequence) => (sequence > 2 ? signer : undefined));
    const { findings, signatures } = await run(events, seals);
    expect(findings).toEqual([]);
    expect(signatures).toMatchObject({ good: 1, unsigned: 2, vouchedLate: { seals: 2, since: seals[2]!.sealedAt } });
  });

  it('finds seals of no trusted key between two of one, unless the one that follows them says so', async () => {
    const events = logOf(25);
    const sizes = [5, 5, 5, 5, 5];
    const away = sealsOf(events, sizes, (sequence) => (sequence === 2 || sequence === 3 ? undefined : signer));
    const { findings } = await run(events, away);
    expect(findings).toMatchObject([{ kind: 'unsigned', seal: 2 }]);
    expect(findings[0]?.checks[0]).toContain('seals 2 to 3 are signed by no trusted key, between seal 1 and seal 4');
    const foreign = sealsOf(events, sizes, (sequence) => (sequence === 2 ? mallory : signer));
    expect((await run(events, foreign)).findings).toMatchObject([{ kind: 'unsigned', seal: 2 }]);

    const told = sealsOf(events, sizes, (sequence) => (sequence === 2 || sequence === 3 ? undefined : signer), [4]);
    const accepted = await run(events, told);
    expect(accepted.findings).toEqual([]);
    expect(accepted.signatures.accepted).toEqual([{ first: 2, last: 3, since: told[3]!.sealedAt }]);
    // The word is under the signature: who adds it to a seal, or takes it away, breaks both.
    const { accepted: _, ...silent } = told[3]!;
    expect((await run(events, told.with(3, silent))).findings).toContainEqual(
      expect.objectContaining({ kind: 'bad-signature', seal: 4 }),
    );
    expect((await run(events, away.with(3, { ...away[3]!, accepted: true }))).findings).toContainEqual(
      expect.objectContaining({ kind: 'bad-signature', seal: 4 }),
    );
  });

  it.each<[SignedSince, number | undefined]>([
    [{ sequence: 4 }, undefined],
    [{ sequence: 3 }, 3],
    [{ sequence: 1 }, 1],
    [{ time: '2026-03-01T10:00:15.000000Z' }, undefined],
    [{ time: '2026-03-01T10:00:14.000000Z' }, 3],
  ])('finds seals without a trusted signature from %j on', async (signedSince, seal) => {
    const events = logOf(20);
    const seals = sealsOf(events, [5, 5, 5, 5], (sequence) => (sequence > 3 ? signer : undefined), [4]);
    const { findings } = await run(events, seals, { signedSince });
    expect(findings).toMatchObject(seal === undefined ? [] : [{ kind: 'unsigned', seal }]);
  });

  it('names an event that no transaction can have written, wherever its number puts it', async () => {
    const events = logOf(10);
    const seals = sealsOf(events, [5, 5], signer);
    const cursor = { generation: 1, transactionId: '9000000000000000000', position: '11' };
    const future = [1, 2].map((n) => ({ ...storedEvent(10 + n, 's:0', 4 + n, cursor), impossible: true as const }));
    const { findings, unsealed } = await run([...events, ...future], seals);
    expect(namedIn(findings)).toEqual(['impossible-event s:0@5', 'impossible-event s:0@6']);
    expect(unsealed.events).toBe(0);
  });

  it('names a table with two faces, and takes it for the reason when nothing more can be read', async () => {
    const events = logOf(5);
    const history = new MemoryHistory(events, sealsOf(events, [5], signer));
    const failing = Object.assign(history, { seals: () => Promise.reject(new Error('no rows for you')) });
    await expect(verify({ history: failing, trusted, untrusted })).rejects.toThrow('no rows for you');
    history.tables.push({ table: 'es.seal', fault: 'it is a view, not a table' });
    expect((await verify({ history: failing, trusted, untrusted })).findings).toEqual([
      {
        kind: 'changed-table',
        table: 'es.seal',
        checks: ['it is a view, not a table', 'nothing more could be read: Error: no rows for you'],
      },
    ]);
  });

  it('keeps a changed key apart from a forged one', async () => {
    const events = logOf(15);
    const next = newSigner();
    const seals = sealsOf(events, [5, 5, 5], (sequence) => (sequence > 1 ? next : signer));
    const both = new AuditKeyRing([signer.publicKey, next.publicKey]);
    expect((await run(events, seals, { trusted: both })).findings).toEqual([]);
    // The old key is gone: what it signed is chained below the new one, and proven since.
    const newOnly = await run(events, seals, { trusted: new AuditKeyRing([next.publicKey]) });
    expect(newOnly.findings).toEqual([]);
    expect(newOnly.signatures.keys).toContainEqual({ keyId: signer.keyId, trusted: false, seals: 1 });
    const stranger = await run(events, seals, { untrusted: nobody });
    expect(stranger.findings.map(({ kind }) => kind)).toEqual(['bad-signature', 'bad-signature', 'unsigned']);
  });

  it('says which seals came late, and finds that there are none where there should be', async () => {
    const events = logOf(10);
    const seals = sealsOf(events, [5, 5], signer);
    const late = '2026-03-01T12:00:00.000Z';
    const sealed = sealsOf(events, [5], signer);
    const lateSeal = makeSeal({ ...seals[1]!, previous: sealed[0], sealedAt: late, signer });
    expect((await run(events, [sealed[0]!, lateSeal])).late).toEqual({ seals: 1, until: late });
    expect((await run(events, seals)).late).toBeUndefined();
    expect((await run(events, [], { now: late })).findings).toMatchObject([{ kind: 'missing-seal' }]);
    expect((await run(events, [], { now: events[0]!.recordedAt })).findings).toEqual([]);
    expect((await run(events, [], { now: late, trusted: nobody })).findings).toEqual([]);
  });

  it('checks a stretch by time or by cursor', async () => {
    const events = logOf(20);
    const seals = sealsOf(events, [5, 5, 5, 5], signer);
    const byTime = await run(events, seals, {
      from: { time: events[6]!.recordedAt },
      to: { time: events[12]!.recordedAt },
    });
    expect(byTime).toMatchObject({
      findings: [],
      seals: 2,
      sealedEvents: 10,
      firstSeal: { sequence: 2 },
      lastSeal: { sequence: 3 },
    });
    const byCursor = await run(events, seals, {
      from: { cursor: events[5]!.cursor },
      to: { cursor: events[9]!.cursor },
    });
    expect(byCursor).toMatchObject({ findings: [], seals: 1, firstSeal: { sequence: 2 } });
    attack(events, 2, 'content', false);
    expect((await run(events, seals, { from: { time: events[6]!.recordedAt } })).findings).toEqual([]);
  });

  it('names a bounded number of events and counts the others', async () => {
    const events = logOf(1_500);
    const seals = sealsOf(events, [500, 500, 500], signer);
    const verified = await run([], seals, {}, new Map());
    expect(verified.findings).toHaveLength(1_000);
    expect(verified.unnamed).toBe(500);
  });
});
