import { entryText, type SealEntry } from '../seal.ts';
import type { Findings } from './finding.ts';

/** Names every event in which what is there differs from what was sealed. `witness` says who tells what was sealed. */
export function compareEntries(parts: {
  readonly sealed: readonly SealEntry[];
  readonly found: readonly SealEntry[];
  readonly seal: number;
  readonly witness: string;
  readonly findings: Findings;
}): void {
  const { sealed, found, seal, witness, findings } = parts;
  const open = new Map(sealed.map((entry) => [keyOf(entry), entry]));
  const same: SealEntry[] = [];
  for (const event of found) {
    const entry = open.get(keyOf(event));
    open.delete(keyOf(event));
    if (!entry) findings.add({ kind: 'inserted-event', event, seal }, `it is not among the events of ${witness}`);
    else if (entryText(entry) === entryText(event)) same.push(event);
    else
      for (const check of differences(entry, event, witness))
        findings.add({ kind: 'changed-event', event, seal }, check);
  }
  for (const entry of open.values())
    findings.add(
      { kind: 'missing-event', event: entry, seal },
      `it is among the events of ${witness}, and is not stored`,
    );

  const before = new Set(same.map(keyOf));
  const order = sealed.filter((entry) => before.has(keyOf(entry)));
  const moved = same.find((event, i) => keyOf(event) !== keyOf(order[i]!));
  if (moved) findings.add({ kind: 'moved-event', event: moved, seal }, `it stands at another place than in ${witness}`);
}

function differences(entry: SealEntry, event: SealEntry, witness: string): string[] {
  const checks: string[] = [];
  if (entry.digest !== event.digest)
    checks.push(`its content hashes to ${event.digest}, ${witness} says ${entry.digest}`);
  if (entry.recordedAt !== event.recordedAt)
    checks.push(`it says it was recorded at ${event.recordedAt}, ${witness} says ${entry.recordedAt}`);
  // The type is part of the content; this is reached only when the witness contradicts itself.
  if (checks.length === 0) checks.push(`its type is ${event.type}, ${witness} says ${entry.type}`);
  return checks;
}

export function keyOf({ streamId, version }: { readonly streamId: string; readonly version: number }): string {
  return `${version} ${streamId}`;
}
