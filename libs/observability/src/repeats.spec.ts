import { beforeEach, describe, expect, it } from 'vitest';
import { causeOf } from './cause-of.ts';
import { Logger, type LogFields } from './logger.ts';
import { withoutRepeats } from './repeats.ts';

class Heard extends Logger {
  readonly lines: { level: string; message: string; fields: LogFields }[];
  readonly own: LogFields;

  constructor(lines: Heard['lines'] = [], own: LogFields = {}) {
    super();
    this.lines = lines;
    this.own = own;
  }
  debug(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'debug', message, fields: { ...this.own, ...fields } });
  }
  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', message, fields: { ...this.own, ...fields } });
  }
  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', message, fields: { ...this.own, ...fields } });
  }
  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', message, fields: { ...this.own, ...fields } });
  }
  child(fields: LogFields): Logger {
    return new Heard(this.lines, { ...this.own, ...fields });
  }
}

const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

let now: number;
let heard: Heard;
let logger: Logger;

beforeEach(() => {
  now = 1_000_000;
  heard = new Heard();
  logger = withoutRepeats(heard, () => now);
});

describe('a trouble that lasts for an hour', () => {
  it('is said at once and then once a minute, whoever meets it and whatever they say', () => {
    for (let second = 0; second < 3_600; second++) {
      now = 1_000_000 + second * 1_000;
      logger.warn('a round of a loop failed', { loop: 'a', error: refused() });
      logger.child({ partition: 3 }).error('could not handle a batch', { error: new Error('x', { cause: refused() }) });
    }
    expect(heard.lines.length).toBe(60);
    expect(heard.lines[0]).toMatchObject({ level: 'warn', fields: { loop: 'a', cause: 'network' } });
    expect(heard.lines[1]!.fields).toMatchObject({ repeated: 119, inSeconds: 60 });
    const said = heard.lines.reduce((sum, { fields }) => sum + ((fields['repeated'] as number | undefined) ?? 1), 0);
    expect(said).toBeGreaterThanOrEqual(7_200 - 120);
  });

  it('is said at once again when it comes back after a quiet minute', () => {
    logger.warn('it failed', { error: refused() });
    now += 61_000;
    logger.info('something else');
    logger.warn('it failed', { error: refused() });
    expect(heard.lines.map(({ message }) => message)).toEqual(['it failed', 'something else', 'it failed']);
  });

  it('does not hide another one', () => {
    const away = (port: number): Error => Object.assign(refused(), { address: '127.0.0.1', port });
    logger.warn('it failed', { error: away(1) });
    logger.warn('it failed', { error: away(2) });
    logger.warn('it failed', { error: Object.assign(new Error('no room'), { code: '53100' }) });
    expect(heard.lines.map(({ fields }) => fields['cause'])).toEqual([
      'network 127.0.0.1:1',
      'network 127.0.0.1:2',
      'postgresql',
    ]);
  });
});

describe('complaints without a common cause', () => {
  it('are said five times a minute, then counted, and the count is not lost', () => {
    for (let pod = 0; pod < 1_000; pod++) logger.warn('the outcome is unknown', { pod });
    expect(heard.lines.length).toBe(5);
    now += 60_000;
    logger.info('anything');
    expect(heard.lines[5]).toMatchObject({
      level: 'warn',
      message: 'the outcome is unknown',
      fields: { pod: 999, repeated: 995, inSeconds: 60 },
    });
  });

  it('leave other lines alone', () => {
    for (let index = 0; index < 10; index++) {
      logger.info('done', { index });
      logger.error(`other ${index}`);
    }
    expect(heard.lines.length).toBe(20);
  });
});

describe('a cause', () => {
  const named = (name: string, more: object): Error => Object.assign(new Error('x'), { name, ...more });

  it.each([
    [named('MessagingError', { code: 'unavailable' }), 'kafka'],
    [named('MessagingError', { code: 'refused' }), undefined],
    [named('KubernetesError', { status: 0 }), 'kubernetes'],
    [named('KubernetesError', { status: 503 }), 'kubernetes'],
    [named('KubernetesError', { status: 403 }), undefined],
    [Object.assign(new Error('x'), { code: '57P01' }), 'postgresql'],
    [Object.assign(new Error('x'), { code: '53300' }), 'postgresql'],
    [Object.assign(new Error('x'), { code: '23505' }), undefined],
    [new Error('Connection terminated unexpectedly'), 'postgresql'],
    [new AggregateError([refused()]), 'network'],
    [new Error('a bug'), undefined],
    ['text', undefined],
  ])('of %s is %s', (error, cause) => expect(causeOf(error)).toBe(cause));
});
