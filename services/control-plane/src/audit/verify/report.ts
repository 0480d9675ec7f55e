import { encodeCursor } from '#libs/event-store';
import type { Seal } from '../seal.ts';
import type { Finding, FindingKind } from './finding.ts';
import type { Verified } from './verify.ts';

interface ReportFacts {
  readonly verified: Verified;
  readonly fleet: string;
  /** Key ids that were trusted, each with where it comes from. */
  readonly trusted: readonly { readonly keyId: string; readonly from: string }[];
  /** Where the published copies come from; undefined: there were none. */
  readonly published: { readonly from: string; readonly events: number } | undefined;
  readonly elapsedMs: number;
}

const KINDS: Readonly<Record<FindingKind, string>> = {
  'changed-event': 'CHANGED EVENT',
  'missing-event': 'MISSING EVENT',
  'inserted-event': 'INSERTED EVENT',
  'moved-event': 'MOVED EVENT',
  'impossible-event': 'IMPOSSIBLE EVENT',
  'hidden-event': 'HIDDEN EVENT',
  'changed-seal': 'CHANGED SEAL',
  'missing-seal': 'MISSING SEAL',
  'broken-chain': 'BROKEN CHAIN',
  'bad-signature': 'BAD SIGNATURE',
  unsigned: 'NOT SIGNED',
  'published-copy': 'PUBLISHED COPY',
  'changed-table': 'CHANGED TABLE',
};

/** Findings printed; all that are kept are in the JSON. */
const MOST_PRINTED = 100;

/** The report for people, line by line. */
export function reportLines(facts: ReportFacts): readonly string[] {
  const { verified } = facts;
  const { findings, unnamed } = verified;
  const shown = findings.slice(0, MOST_PRINTED).flatMap(findingLines);
  const hidden = findings.length - Math.min(findings.length, MOST_PRINTED) + unnamed;
  return [
    ...shown,
    ...(hidden > 0 ? [`… and ${hidden} more findings`] : []),
    ...(findings.length > 0 ? [''] : []),
    findings.length === 0
      ? `The log of fleet ${facts.fleet} is as it was sealed.`
      : `The log of fleet ${facts.fleet} IS NOT as it was sealed: ${findings.length + unnamed} ${findings.length + unnamed === 1 ? 'finding' : 'findings'}, above.`,
    '',
    ...provenLines(facts),
  ];
}

function findingLines({ kind, event, seal, table, checks }: Finding): string[] {
  const sealed = seal === undefined ? '' : `, seal ${seal}`;
  const head = event
    ? `${KINDS[kind]}  ${event.streamId} version ${event.version}, ${event.type}, recorded ${event.recordedAt}${sealed}`
    : `${KINDS[kind]}${table === undefined ? '' : `  ${table}`}${seal === undefined ? '' : `  seal ${seal}`}`;
  return [head, ...checks.map((check) => `  - ${check}`)];
}

function provenLines(facts: ReportFacts): string[] {
  const { verified, published, elapsedMs } = facts;
  const { firstSeal, lastSeal, unsealed, compared, events } = verified;
  const seconds = elapsedMs / 1000;
  const lines: string[] = [];
  if (firstSeal && lastSeal)
    lines.push(
      `Checked     ${count(verified.seals, 'seal')} (${firstSeal.sequence} to ${lastSeal.sequence}) over ${count(verified.sealedEvents, 'event')} recorded from ${firstSeal.recordedFrom} to ${lastSeal.recordedTo}`,
      `            from cursor ${encodeCursor(firstSeal.from)} to ${encodeCursor(lastSeal.through)}; newest seal made ${lastSeal.sealedAt}`,
    );
  else lines.push('Checked     no seal: nothing is sealed in this range');
  if (verified.late)
    lines.push(
      `            ${count(verified.late.seals, 'seal')} made over a minute after their events were recorded: proven only since they were made, the last at ${verified.late.until}`,
    );
  lines.push(...signatureLines(facts));
  if (!published)
    lines.push(
      'Published   not compared: give --feed, --roots or --seals-folder; without them events and seals cut off at the end do not show',
    );
  else if (compared.seals === 0)
    lines.push(
      `Published   no copy of these seals in ${published.from}; ${count(published.events, 'event')} compared one by one`,
    );
  else
    lines.push(
      `Published   ${count(compared.seals, 'seal')} (${compared.first} to ${compared.last}) and ${count(published.events, 'event')} compared with ${published.from}`,
    );
  lines.push(
    unsealed.events === 0
      ? 'Not sealed  no event'
      : `Not sealed  ${count(unsealed.events, 'event')} since ${unsealed.since}: only their own digests were checked`,
    `Speed       ${count(events, 'event')} in ${seconds.toFixed(1)} s, ${Math.round(events / Math.max(seconds, 0.001)).toLocaleString('en')} events/s`,
  );
  return lines;
}

function signatureLines({ verified, trusted }: ReportFacts): string[] {
  const { good, last, keys, unsigned, vouchedLate, accepted } = verified.signatures;
  const lines: string[] = [];
  if (trusted.length === 0)
    lines.push('Signatures  no trusted key: give --public-keys (kept outside PostgreSQL) or FLEET_AUDIT_KEY');
  else {
    const names = trusted.map(({ keyId, from }) => `${keyId} (${from})`).join(', ');
    lines.push(`Signatures  ${good} of ${count(verified.seals, 'seal')} by trusted keys; trusted: ${names}`);
    if (last) lines.push(`            they prove everything up to seal ${last.sequence}, made ${last.sealedAt}`);
  }
  if (vouchedLate && accepted[0]?.first !== verified.firstSeal?.sequence)
    lines.push(
      `            ${count(vouchedLate.seals, 'seal')} before the first of them bear none: proven unchanged only since ${vouchedLate.since}`,
    );
  for (const { first, last: end, since } of accepted)
    lines.push(
      `            seals ${first} to ${end} bear none and were accepted by whoever holds the key: proven unchanged only since ${since}`,
    );
  for (const key of keys.filter((each) => !each.trusted))
    lines.push(
      `            ${count(key.seals, 'seal')} signed by key ${key.keyId}, known from PostgreSQL alone: no evidence against whoever can write there`,
    );
  if (unsigned > 0) lines.push(`            ${count(unsigned, 'seal')} without a signature`);
  return lines;
}

function count(number: number, what: string): string {
  return `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
}

/** The report for programs. */
export function reportJson(facts: ReportFacts): object {
  const { verified, fleet, trusted, published, elapsedMs } = facts;
  const { firstSeal, lastSeal, signatures } = verified;
  const seconds = Math.max(elapsedMs / 1000, 0.001);
  return {
    fleet,
    sound: verified.findings.length === 0,
    findings: verified.findings.map(({ kind, event, seal, table, checks }) => ({
      kind,
      ...(event && {
        event: {
          streamId: event.streamId,
          version: event.version,
          type: event.type,
          recordedAt: event.recordedAt,
        },
      }),
      ...(seal !== undefined && { seal }),
      ...(table !== undefined && { table }),
      checks,
    })),
    findingsNotListed: verified.unnamed,
    checked: {
      seals: verified.seals,
      events: verified.events,
      sealedEvents: verified.sealedEvents,
      ...(firstSeal && { from: place(firstSeal, firstSeal.from, firstSeal.recordedFrom) }),
      ...(lastSeal && {
        to: { ...place(lastSeal, lastSeal.through, lastSeal.recordedTo), sealedAt: lastSeal.sealedAt },
      }),
    },
    signatures: {
      trusted,
      good: signatures.good,
      ...(signatures.last && {
        provenThrough: place(signatures.last, signatures.last.through, signatures.last.recordedTo),
        provenAt: signatures.last.sealedAt,
      }),
      unsigned: signatures.unsigned,
      ...(signatures.vouchedLate && { vouchedLate: signatures.vouchedLate }),
      accepted: signatures.accepted,
      keys: signatures.keys,
    },
    published: published ? { ...published, seals: verified.compared } : null,
    ...(verified.late && { late: verified.late }),
    unsealed: verified.unsealed,
    seconds: elapsedMs / 1000,
    eventsPerSecond: Math.round(verified.events / seconds),
  };
}

function place({ sequence }: Pick<Seal, 'sequence'>, cursor: Seal['from'], recordedAt: string): object {
  return { seal: sequence, cursor: encodeCursor(cursor), recordedAt };
}
