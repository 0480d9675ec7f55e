/**
 * Logs, metrics and trace context.
 *
 * Hides: pino and prom-client. Guarantees: one JSON object a line; no value under a secret name, and nothing behind a `?` of an error's
 * message, reaches a log. Does not: find a secret that stands in a free text or under an innocent name; callers keep those out.
 */
export { AsideItems, type AsideItem, type AsideItemsParts } from './aside-items.ts';
export { createLogger, LOG_LEVELS, Logger, silentLogger, type LogFields, type LogLevel } from './logger.ts';
export { logging } from './logging.ts';
export { causeOf } from './cause-of.ts';
export {
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
} from './sql-states.ts';
export { withoutRepeats } from './repeats.ts';
export { cutQuery, describeError, errorMessage } from './describe-error.ts';
export { REDACTED } from './redact.ts';
export { Metrics } from './metrics.ts';
export { formatTraceparent, parseTraceparent, startSpan } from './trace-context.ts';
