import { describe, expect, it } from 'vitest';
import {
  endsConnection,
  isConnectionLost,
  isDataRefused,
  isInTheWay,
  isLockMissed,
  isRaised,
  isServerAway,
  isSetUpMissing,
  isStatementRefused,
  isTransactionState,
  isUndone,
} from './index.ts';

const SAYINGS = {
  endsConnection,
  isDataRefused,
  isInTheWay,
  isLockMissed,
  isServerAway,
  isSetUpMissing,
  isStatementRefused,
  isTransactionState,
  isUndone,
};
type Saying = keyof typeof SAYINGS;

const thrown = (code: unknown): Error => Object.assign(new Error('x'), { code });

/** One state or more of every class that a server of ours has said, and all that each of them says. */
const SAID: readonly (readonly [state: string, what: string, sayings: readonly Saying[]])[] = [
  ['08000', 'no connection', ['endsConnection', 'isServerAway']],
  ['08006', 'the connection was lost', ['endsConnection', 'isServerAway']],
  ['08P01', 'the protocol was broken', ['endsConnection', 'isServerAway']],
  ['22001', 'too long a text', ['isDataRefused']],
  ['22021', 'no character of the encoding', ['isDataRefused']],
  ['22P02', 'no value of the type', ['isDataRefused']],
  ['22P05', 'U+0000', ['isDataRefused']],
  ['23505', 'there already', ['isDataRefused']],
  ['23514', 'against a check', ['isDataRefused']],
  ['25006', 'read only', ['endsConnection', 'isTransactionState']],
  ['25P02', 'the transaction failed before', ['endsConnection', 'isTransactionState']],
  ['25P03', 'idle in a transaction', ['endsConnection', 'isServerAway', 'isTransactionState']],
  ['25P04', 'too long a transaction', ['endsConnection', 'isServerAway', 'isTransactionState']],
  ['28P01', 'a wrong password', []],
  ['3D000', 'no such database', ['isSetUpMissing']],
  ['3F000', 'no such schema', ['isSetUpMissing']],
  ['40001', 'not to be put in order', ['isInTheWay', 'isUndone']],
  ['40003', 'perhaps done', ['isInTheWay']],
  ['40P01', 'a deadlock', ['isInTheWay', 'isLockMissed', 'isUndone']],
  ['42501', 'no privilege', ['isSetUpMissing', 'isStatementRefused']],
  ['42601', 'no SQL', ['isStatementRefused']],
  ['42703', 'no such column', ['isSetUpMissing', 'isStatementRefused']],
  ['42883', 'no such function', ['isStatementRefused']],
  ['42P01', 'no such table', ['isSetUpMissing', 'isStatementRefused']],
  ['53100', 'the disk is full', ['isServerAway']],
  ['53200', 'out of memory', ['isServerAway']],
  ['53300', 'too many connections', ['endsConnection', 'isServerAway']],
  ['54000', 'beyond a limit', ['isDataRefused']],
  ['55P03', 'a lock is held', ['isInTheWay', 'isLockMissed']],
  ['57014', 'cancelled', ['isServerAway']],
  ['57P01', 'the server stops', ['endsConnection', 'isServerAway']],
  ['57P02', 'the server crashed', ['endsConnection', 'isServerAway']],
  ['57P03', 'the server starts', ['endsConnection', 'isServerAway']],
  ['57P05', 'idle for too long', ['endsConnection', 'isServerAway']],
  ['58030', 'input or output failed', ['endsConnection', 'isServerAway']],
  ['P0001', 'raised', []],
  ['XX000', 'a bug of the server', []],
  ['ES001', 'raised by a function of ours', []],
];

describe('a SQLSTATE', () => {
  it.each(SAID)('%s (%s) says %j', (state, _, sayings) => {
    const said = Object.entries(SAYINGS).filter(([, says]) => says(thrown(state)));
    expect(said.map(([name]) => name)).toEqual(sayings);
  });

  it.each([
    undefined,
    null,
    'a text',
    42,
    new Error('x'),
    thrown(40001),
    thrown('ECONNREFUSED'),
    thrown('08'),
    thrown('080066'),
    thrown(''),
  ])('is none where there is none: %s', (error) => {
    expect(Object.values(SAYINGS).filter((says) => says(error))).toEqual([]);
  });

  it('of our own is known by its user', () => {
    expect([isRaised(thrown('ES001'), 'ES001'), isRaised(thrown('ES002'), 'ES001'), isRaised(null, 'ES001')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

it.each([
  ['Connection terminated unexpectedly', true],
  ['timeout exceeded when trying to connect', true],
  ['Query read timeout', true],
  ['a timeout of something else', false],
  [undefined, false],
])('pg speaks of a lost connection with %j: %s', (message, lost) => expect(isConnectionLost(message)).toBe(lost));
