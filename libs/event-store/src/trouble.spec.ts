import { describe, expect, it } from 'vitest';
import { databaseMayCome, InvalidAppend, isBadData, isTrouble, TryLater } from './index.ts';

const thrown = (code: string): Error => Object.assign(new Error('x'), { code });

/** What an error of an append says: of the database, which the next one meets as well (trouble), and whether it comes back by itself; or of the data. */
const ERRORS: readonly (readonly [error: unknown, says: readonly ('trouble' | 'may come' | 'bad data')[]])[] = [
  [new TryLater('later'), ['trouble']],
  [thrown('ECONNREFUSED'), ['trouble', 'may come']],
  [thrown('EAI_AGAIN'), ['trouble', 'may come']],
  [thrown('CERT_HAS_EXPIRED'), ['trouble']],
  [thrown('57P03'), ['trouble', 'may come']],
  [thrown('53100'), ['trouble', 'may come']],
  [thrown('25006'), ['trouble', 'may come']],
  [thrown('40001'), ['trouble']],
  [thrown('55P03'), ['trouble']],
  [thrown('42P01'), ['trouble']],
  [thrown('3D000'), ['trouble']],
  [new Error('Connection terminated unexpectedly'), ['trouble', 'may come']],
  [new Error('timeout exceeded when trying to connect'), ['trouble', 'may come']],
  [thrown('28P01'), []],
  [thrown('42883'), []],
  [thrown('22P05'), ['bad data']],
  [thrown('23514'), ['bad data']],
  [new InvalidAppend('no'), ['bad data']],
  [new TypeError('x is not a function'), []],
  [new RangeError('invalid date'), []],
  ['a text', []],
  [undefined, []],
];

describe('what an error says of the database', () => {
  it.each(ERRORS)('%s: %j', (error, says) => {
    const said = { trouble: isTrouble(error), 'may come': databaseMayCome(error), 'bad data': isBadData(error) };
    expect(Object.entries(said).flatMap(([what, is]) => (is ? [what] : []))).toEqual(says);
  });
});
