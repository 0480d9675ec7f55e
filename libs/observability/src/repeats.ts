import { causeOf } from './cause-of.ts';
import { Logger, type LogFields } from './logger.ts';

const MINUTE_MS = 60_000;
/** Lines that say the same and may be said one by one in a minute: the ids in them are worth something while they are few. */
const FEW = 5;

type Complaint = 'warn' | 'error';

interface Repeated {
  /** Begin of the minute that is counted, epoch milliseconds. */
  began: number;
  said: number;
  kept: number;
  last:
    | { readonly level: Complaint; readonly message: string; readonly fields: LogFields; readonly to: Logger }
    | undefined;
}

/** Counts what was kept back, for all loggers that come from one. */
interface Ledger {
  readonly now: () => number;
  readonly repeated: Map<string, Repeated>;
}

/**
 * A logger that says a lasting trouble at once and then once a minute, with how often it was met: an outage of an hour makes sixty lines and not
 * a million. Warnings and errors that come from one cause (a part that is away, see `causeOf`) count as one, whatever they say and whoever
 * says it; others by their text, five a minute. Loggers made by `child` share the count. Other levels pass. `now` = epoch milliseconds.
 */
export function withoutRepeats(logger: Logger, now: () => number): Logger {
  return new FewWords(logger, { now, repeated: new Map() }, {});
}

class FewWords extends Logger {
  private readonly inner: Logger;
  private readonly ledger: Ledger;
  /** A child whose own fields name an error is of that error's cause as well. */
  private readonly own: LogFields;

  constructor(inner: Logger, ledger: Ledger, own: LogFields) {
    super();
    this.inner = inner;
    this.ledger = ledger;
    this.own = own;
  }

  debug(message: string, fields?: LogFields): void {
    this.inner.debug(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.sumUp();
    this.inner.info(message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.complain('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.complain('error', message, fields);
  }

  child(fields: LogFields): Logger {
    return new FewWords(this.inner.child(fields), this.ledger, { ...this.own, ...fields });
  }

  private complain(level: Complaint, message: string, fields: LogFields = {}): void {
    this.sumUp();
    const cause = causeOf(fields['error'] ?? this.own['error']);
    const key = cause === undefined ? `text ${level} ${message}` : `cause ${cause}`;
    const { repeated, now } = this.ledger;
    let entry = repeated.get(key);
    if (!entry) repeated.set(key, (entry = { began: now(), said: 0, kept: 0, last: undefined }));
    if (entry.said >= (cause === undefined ? FEW : 1)) {
      entry.kept += 1;
      entry.last = { level, message, fields, to: this.inner };
      return;
    }
    entry.said += 1;
    this.inner[level](message, cause === undefined ? fields : { ...fields, cause });
  }

  /** Minutes that are over: what was kept back in one is one line, and another minute begins with it; a quiet one is forgotten. */
  private sumUp(): void {
    const { repeated, now } = this.ledger;
    const at = now();
    for (const [key, entry] of repeated) {
      if (at - entry.began < MINUTE_MS) continue;
      const { last, kept } = entry;
      if (last === undefined) {
        repeated.delete(key);
        continue;
      }
      last.to[last.level](last.message, {
        ...last.fields,
        repeated: kept,
        inSeconds: Math.round((at - entry.began) / 1000),
      });
      // It lasts: from now on it is said once a minute, by its count.
      Object.assign(entry, { began: at, said: FEW, kept: 0, last: undefined });
    }
  }
}
