import { isClosed } from '#libs/domain';
import type { StreamFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** Shapes that are never anything else. Order of the alternatives does not matter; each names itself. */
const SHAPES: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: 'an AccessKey id', pattern: /\b(?:LTAI[0-9A-Za-z]{12,20}|STS\.[0-9A-Za-z]{16,})\b/ },
  { name: 'a token (JWT)', pattern: /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/ },
  { name: 'a private key (PEM)', pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/ },
];

/** Secrets of this fleet that the doctor knows anyway (its own configuration), looked for literally. */
export interface Canaries {
  readonly values: readonly { readonly name: string; readonly value: string }[];
}

/** What kind of secret a text seems to hold; the text itself is never repeated. */
function secretIn(text: string, { values }: Canaries): string | undefined {
  const own = values.find(({ value }) => value.length >= 8 && text.includes(value));
  return own?.name ?? SHAPES.find(({ pattern }) => pattern.test(text))?.name;
}

const REMOVE =
  'see in its history which field holds it, replace that secret now, and put it into a Secret instead (command lines and args are for people to see until some time after the pod)';

/** O7, one stream: sealed data is destroyed with its end, and neither events nor read model hold what looks like a secret. */
export function streamHoldsNoSecret(facts: StreamFacts, canaries: Canaries): readonly Finding[] {
  const findings: Finding[] = [];
  const where = { stream: facts.streamId };
  if (facts.hasSealed && isClosed(facts.state)) {
    const since = facts.head.closedAt;
    findings.push({
      oracle: 'O7',
      kind: 'sealed-after-its-end',
      what: 'is closed, but its sealed data was not destroyed',
      where,
      ...(since !== undefined && { since }),
      next: 'report it: the data key goes with the event that closes the stream',
    });
  }
  for (const event of facts.events) {
    // What is sealed is noise, in which anything may be found.
    const { hidden: _, ...data } = event.data;
    const secret = secretIn(`${JSON.stringify(data)}${JSON.stringify(event.metadata)}`, canaries);
    if (secret !== undefined)
      findings.push({
        oracle: 'O7',
        kind: `event-${event.version}`,
        what: `version ${event.version} (${event.type}) holds what looks like ${secret}`,
        where,
        since: event.recordedAt,
        next: REMOVE,
      });
  }
  const inRow = facts.row && secretIn(JSON.stringify(facts.row), canaries);
  if (inRow !== undefined)
    findings.push({
      oracle: 'O7',
      kind: 'row',
      what: `its row in the read model holds what looks like ${inRow}`,
      where,
      next: REMOVE,
    });
  return findings;
}
