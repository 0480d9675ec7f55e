/**
 * What PostgreSQL says by a SQLSTATE: five characters in `code` of an error, the first two of which are its class (PostgreSQL docs, appendix A). Nobody
 * else knows any. Each function is one thing that somebody does differently for it; an error without a SQLSTATE is none of them.
 */
type SaysOf = (error: unknown) => boolean;

/** States and classes (two characters). */
const says = (...states: readonly string[]): SaysOf => {
  const known = new Set(states);
  return (error) => {
    const { code } = (error ?? {}) as { readonly code?: unknown };
    return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && (known.has(code) || known.has(code.slice(0, 2)));
  };
};

/** The server: no connection (08), no room (53), stopped or given up (57), trouble of its system (58); idle for too long, or in one transaction. */
export const isServerAway = says('08', '53', '57', '58', '25P03', '25P04');

/** The transaction is in no state to do it: a server that was demoted answers 25006 to every write, a transaction that failed before 25P02. */
export const isTransactionState = says('25');

/** Somebody else is in the way: serialization, deadlock (40), locks and objects in use (55). */
export const isInTheWay = says('40', '55');

/** The server has undone all of it for somebody else's sake: it may be said again at once. Not 40003, of which nobody knows whether it was done. */
export const isUndone = says('40001', '40P01');

/** The lock was not to be had in time, or only by a deadlock. */
export const isLockMissed = says('55P03', '40P01');

/** The statement cannot be understood, or asks for what is not there. */
export const isStatementRefused = says('42');

/** A table, column, schema, database or privilege is missing: the set-up is wrong, whatever the data. */
export const isSetUpMissing = says('42P01', '42703', '42501', '3F000', '3D000');

/** The data can never be stored: no value of its type (22), against a constraint (23), beyond a limit (54). */
export const isDataRefused = says('22', '23', '54');

/**
 * The last words of a connection, though it may still answer: another one may meet another server. Not every state of a server that is away: 53100 (disk
 * full) and 57014 (cancelled) end a statement only.
 */
export const endsConnection = says('08', '25', '57P01', '57P02', '57P03', '57P04', '57P05', '53300', '58');

/** A state of our own, which a function of ours raises. */
export const isRaised = (error: unknown, state: string): boolean => says(state)(error);

/** The words of pg for a connection that was lost or not made, which have no code. */
export const isConnectionLost = (message: unknown): boolean =>
  typeof message === 'string' &&
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|timeout expired)/.test(message);
