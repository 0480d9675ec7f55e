import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { redact } from './redact.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields of one line. `error` may hold anything that was thrown; it is written as name, message, code, stack and cause. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What the rest of the system logs through. Messages start with a verb or say what happened; ids are fields, never part of the text. */
export abstract class Logger {
  abstract debug(message: string, fields?: LogFields): void;
  abstract info(message: string, fields?: LogFields): void;
  abstract warn(message: string, fields?: LogFields): void;
  abstract error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  abstract child(fields: LogFields): Logger;
}

interface LoggerOptions {
  readonly level: LogLevel;
  /** Name of the service, in each line. */
  readonly service: string;
  /** Where lines go; default standard output. Tests bring their own. */
  readonly destination?: DestinationStream;
}

/** JSON lines with `level` (a word), `time` (ISO 8601), `service` and `msg`. Errors lose what follows a `?` and fields with secret names lose their values. */
export function createLogger({ level, service, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service },
    timestamp: (): string => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return new JsonLogger(destination ? pino(options, destination) : pino(options));
}

class JsonLogger extends Logger {
  private readonly pino: PinoLogger;

  constructor(inner: PinoLogger) {
    super();
    this.pino = inner;
  }

  debug(message: string, fields?: LogFields): void {
    if (this.pino.isLevelEnabled('debug')) this.pino.debug(clean(fields), message);
  }

  info(message: string, fields?: LogFields): void {
    if (this.pino.isLevelEnabled('info')) this.pino.info(clean(fields), message);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.pino.isLevelEnabled('warn')) this.pino.warn(clean(fields), message);
  }

  error(message: string, fields?: LogFields): void {
    if (this.pino.isLevelEnabled('error')) this.pino.error(clean(fields), message);
  }

  child(fields: LogFields): Logger {
    return new JsonLogger(this.pino.child(clean(fields)));
  }
}

function clean(fields: LogFields | undefined): Record<string, unknown> {
  return redact(fields ?? {}) as Record<string, unknown>;
}

class SilentLogger extends Logger {
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}
  child(): Logger {
    return this;
  }
}

/** Says nothing; for tests and for parts that run without a logger. */
export const silentLogger: Logger = new SilentLogger();
