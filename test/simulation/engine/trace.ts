import { Logger, type LogFields } from '#libs/observability';
import type { Scheduler } from './scheduler.ts';

/** Everything that happened, as a number that tells two runs apart; as text too, when somebody wants to read it. */
export class Trace {
  /** Text lines, when they are kept. */
  readonly lines: string[] | undefined;
  private readonly scheduler: Scheduler;
  private high = 0x811c9dc5;
  private low = 0x1234567;

  constructor(scheduler: Scheduler, keep: boolean) {
    this.scheduler = scheduler;
    this.lines = keep ? [] : undefined;
  }

  note(who: string, what: string): void {
    const { elapsed } = this.scheduler;
    this.mix(`${elapsed} ${who} ${what}`);
    this.lines?.push(`${(elapsed / 1000).toFixed(3).padStart(9)}  ${who.padEnd(14)} ${what}`);
  }

  /** Part of the number, and too much for readers. */
  mark(who: string, what: string): void {
    this.mix(`${this.scheduler.elapsed} ${who} ${what}`);
  }

  /** Only for readers; not part of the number. */
  say(who: string, what: string): void {
    this.lines?.push(`${(this.scheduler.elapsed / 1000).toFixed(3).padStart(9)}  ${who.padEnd(14)} ${what}`);
  }

  get hash(): string {
    return (this.high >>> 0).toString(16).padStart(8, '0') + (this.low >>> 0).toString(16).padStart(8, '0');
  }

  private mix(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      this.high = Math.imul(this.high ^ code, 0x01000193);
      this.low = (Math.imul(this.low, 31) + code) | 0;
    }
  }
}

/** What a process logs goes into the trace; a secret in it is told. */
export class TraceLogger extends Logger {
  private readonly trace: Trace;
  private readonly who: string;
  private readonly onText: (text: string) => void;

  constructor(trace: Trace, who: string, onText: (text: string) => void) {
    super();
    this.trace = trace;
    this.who = who;
    this.onText = onText;
  }

  debug(): void {}

  info(message: string, fields?: LogFields): void {
    if (this.trace.lines) this.write('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.write('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.write('error', message, fields);
  }

  child(): Logger {
    return this;
  }

  private write(level: string, message: string, fields: LogFields | undefined): void {
    const text = `${message} ${JSON.stringify(fields ?? {}, (_, value: unknown) =>
      value instanceof Error ? `${value.name}: ${value.message}` : value,
    )}`;
    this.onText(text);
    this.trace.say(this.who, `[${level}] ${text}`);
  }
}
