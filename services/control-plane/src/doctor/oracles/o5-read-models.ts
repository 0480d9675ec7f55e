import { containerGroupRow } from '../../container-groups/container-group-row.ts';
import { differences } from '../../container-groups/row-differences.ts';
import type { Difference } from '../../streams/projection.ts';
import type { StreamFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** O5, one stream: its row is the fold of the events it claims to show, and shows all that its reader has passed. */
export function rowEqualsItsEvents(facts: StreamFacts): readonly Finding[] {
  const { row, events, projected, streamId } = facts;
  const say = (kind: string, what: string, next: string): readonly Finding[] => {
    const since = events.at(-1)?.recordedAt;
    return [{ oracle: 'O5', kind, what, where: { stream: streamId }, ...(since !== undefined && { since }), next }];
  };
  if (facts.projectionError !== undefined)
    return say(
      'parked',
      `is parked for the reader of the read model: ${facts.projectionError}`,
      'repair the cause, then npm run fleet -- rebuild',
    );
  const rebuild = 'npm run fleet -- rebuild makes the read model anew beside the one that serves';
  if (row === undefined)
    return projected === 0 ? [] : say('no-row', 'has no row although its events were read', rebuild);
  const version = Number(row.streamVersion);
  if (version > events.length)
    return say('ahead', `its row shows version ${version}, the stream ends with ${events.length}`, rebuild);
  if (version < projected)
    return say('behind', `its row shows version ${version}, although ${projected} were read`, rebuild);
  const wrong = differences(containerGroupRow(events.slice(0, version)), row);
  return wrong.length === 0
    ? []
    : say('differs', `its row differs from the fold of its events in ${wrong.join(', ')}`, rebuild);
}

/** A number of the live view, as it is kept and as the rows count it. */
export interface CountFacts {
  readonly clusterId: string;
  readonly life: string;
  readonly zone: string;
  readonly kept: number;
  readonly counted: number;
}

/** O5, whole: no row without a stream, and the numbers of the live view are those of the rows. */
export function readModelIsWhole(facts: {
  readonly withoutStream: readonly string[];
  readonly counts: readonly CountFacts[];
}): readonly Finding[] {
  const next = 'npm run fleet -- rebuild makes the read model anew beside the one that serves';
  return [
    ...facts.withoutStream.map((stream): Finding => ({
      oracle: 'O5',
      kind: 'row-without-stream',
      what: 'is a row of the read model without any event',
      where: { stream },
      next,
    })),
    ...facts.counts
      .filter(({ kept, counted }) => kept !== counted)
      .map(({ clusterId, life, zone, kept, counted }): Finding => ({
        oracle: 'O5',
        kind: `count-${life}-${zone}`,
        what: `the live view says ${kept} groups with life ${life}${zone === '' ? '' : ` in ${zone}`}, the rows are ${counted}`,
        where: { cluster: clusterId },
        next,
      })),
  ];
}

/** O5, other projections: each row is what the events of its stream tell. */
export function rowsEqualTheirEvents(name: string, differences: readonly Difference[]): readonly Finding[] {
  return differences.map(({ streamId, what }): Finding => ({
    oracle: 'O5',
    kind: `differs-${name.replaceAll(' ', '-')}`,
    what,
    where: streamId === undefined ? {} : { stream: streamId },
    next: 'npm run fleet -- rebuild writes such rows anew',
  }));
}
