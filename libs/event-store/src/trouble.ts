import {
  isConnectionLost,
  isDataRefused,
  isInTheWay,
  isServerAway,
  isSetUpMissing,
  isTransactionState,
} from '#libs/observability';
import { isTlsTrouble } from '#libs/transport';
import { InvalidAppend } from './append-checks.ts';

/** What the handler needs is away; nothing is wrong with the event. */
export class TryLater extends Error {
  override readonly name = 'TryLater';
}

/** Node's codes for a connection that cannot be made or was lost. */
const NETWORK_CODES: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/**
 * Whether an error says something about the database or the network rather than about the event at hand: connection lost, server stopping or
 * out of room, a limit of time reached, a deadlock, a schema that is not there.
 */
export function isTrouble(error: unknown): boolean {
  if (error instanceof TryLater) return true;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return (
    NETWORK_CODES.has(code) ||
    (typeof code === 'string' && isTlsTrouble(code)) ||
    [isServerAway, isTransactionState, isInTheWay, isSetUpMissing].some((says) => says(error)) ||
    isConnectionLost(message)
  );
}

/** PostgreSQL is not there yet, starts, stops, is full or too slow; a wrong password or a missing database is another matter. */
export function databaseMayCome(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return NETWORK_CODES.has(code) || isServerAway(error) || isTransactionState(error);
  return isConnectionLost(message);
}

/** The data of one stream can never be stored, as opposed to a database that is away: nothing was written, and the others are fine. */
export const isBadData = (error: unknown): boolean => error instanceof InvalidAppend || isDataRefused(error);

/** For the table of parked streams: short, without what a cloud SDK puts behind the `?` of a URL. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replace(/\?\S*/g, '?…').replaceAll('\0', '').slice(0, 500);
}
