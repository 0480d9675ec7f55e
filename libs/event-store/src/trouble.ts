import { isTlsTrouble } from '#libs/transport';

/** What the handler needs is away; nothing is wrong with the event. */
export class TryLater extends Error {
  override readonly name = 'TryLater';
}

/** Node's codes for a connection that cannot be made or was lost. */
export const NETWORK_ERROR_CODES: ReadonlySet<string> = new Set([
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
  if (typeof code === 'string') {
    if (NETWORK_ERROR_CODES.has(code) || isTlsTrouble(code)) return true;
    // SQLSTATE classes: connection, transaction state, rollback, resources, operator, system.
    if (/^(08|25|40|53|55|57|58)[0-9A-Z]{3}$/.test(code)) return true;
    // A table, column, schema, database or privilege is missing: the set-up is wrong, for every event alike.
    if (['42P01', '42703', '42501', '3F000', '3D000'].includes(code)) return true;
  }
  return (
    typeof message === 'string' &&
    /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout)/.test(message)
  );
}

/** For the table of parked streams: short, without what a cloud SDK puts behind the `?` of a URL. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replace(/\?\S*/g, '?…').replaceAll('\0', '').slice(0, 500);
}
