import { describe, expect, it } from 'vitest';
import {
  createLogger,
  cutQuery,
  describeError,
  errorMessage,
  formatTraceparent,
  Metrics,
  parseTraceparent,
  REDACTED,
  startSpan,
} from './index.ts';

function capture(level: 'debug' | 'info' = 'info') {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    level,
    service: 'test',
    destination: { write: (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>) },
  });
  return { logger, lines };
}

describe('Logger', () => {
  it('writes one JSON object a line with service, level, time and fields', () => {
    const { logger, lines } = capture();
    logger.child({ cluster: 'c1' }).info('container group created', { attempt: 2 });
    logger.debug('not shown');
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'info',
        service: 'test',
        msg: 'container group created',
        cluster: 'c1',
        attempt: 2,
      }),
    ]);
    expect(lines[0]?.['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('writes an error without what follows the question mark, and none of its other properties', () => {
    const { logger, lines } = capture();
    const cause = Object.assign(new Error('connect https://eci/?Password=canary-1'), { request: 'canary-2' });
    const error = Object.assign(new Error('POST https://eci/?Env=canary-3\ncanary-4 failed', { cause }), {
      code: 'ECONNRESET',
      config: { headers: 'canary-5' },
    });
    logger.error('call failed', { error });
    expect(JSON.stringify(lines)).not.toContain('canary');
    expect(lines[0]?.['error']).toMatchObject({
      name: 'Error',
      code: 'ECONNRESET',
      message: 'POST https://eci/?…',
      cause: { message: 'connect https://eci/?…' },
    });
  });

  it('hides values under secret names at any depth, in lists, maps and children', () => {
    const { logger, lines } = capture();
    logger.child({ authorization: 'canary' }).info('x', {
      accessKeySecret: 'canary',
      ECI_SECRET_KEY: 'canary',
      a: { b: [{ 'x-acs-security-token': 'canary' }] },
      map: new Map([['password', 'canary']]),
      session: { envelopeKeys: [{ kid: 'k', key: 'canary' }], statusKeys: [{ kid: 'k', key: 'canary' }] },
      bytes: new TextEncoder().encode('canary'),
      clientToken: 'shown',
    });
    expect(JSON.stringify(lines)).not.toContain('canary');
    expect(lines[0]).toMatchObject({ accessKeySecret: REDACTED, clientToken: 'shown', bytes: '[6 bytes]' });
  });

  it('survives cycles', () => {
    const { logger, lines } = capture();
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    logger.info('cycle', { cycle });
    expect(lines).toHaveLength(1);
  });
});

describe('errors', () => {
  it.each([
    ['no query', 'no query'],
    ['why?', 'why?'],
    ['GET http://h/?a=b c', 'GET http://h/?…'],
  ])('cuts %j', (text, expected) => {
    expect(cutQuery(text)).toBe(expected);
  });

  it('leaves out what a parser says, for it quotes what it parsed', () => {
    const parse = (): unknown => JSON.parse('{"password": hunter2}');
    expect(parse).toThrow(/hunter2/);
    let thrown: unknown;
    try {
      parse();
    } catch (error) {
      thrown = new Error('cannot be read', { cause: error });
    }
    expect(JSON.stringify(describeError(thrown))).not.toContain('hunter2');
  });

  it('has a message for whatever was thrown', () => {
    expect(errorMessage('text?x')).toBe('text?…');
    expect(errorMessage({ message: 'm' })).toBe('m');
    expect(errorMessage(undefined)).toBe('undefined');
    expect(describeError(7)).toEqual({ name: 'number', message: '7' });
    const loop = new Error('loop');
    loop.cause = loop;
    expect(describeError(loop).message).toBe('loop');
  });
});

describe('Metrics', () => {
  it('gives the same object for the same name and refuses another shape', async () => {
    const metrics = new Metrics();
    const first = metrics.counter('eci_calls_total', 'calls', ['action']);
    expect(metrics.counter('eci_calls_total', 'calls', ['action'])).toBe(first);
    expect(() => metrics.gauge('eci_calls_total', 'calls')).toThrow(/exists as counter\(action\)/);
    first.inc({ action: 'create' });
    metrics.histogram('wait_seconds', 'wait').observe(0.3);
    metrics.gauge('due', 'due').set(4);
    const text = await metrics.text();
    expect(text).toContain('eci_calls_total{action="create"} 1');
    expect(text).toContain('wait_seconds_bucket{le="0.5"} 1');
    expect(text).toContain('due 4');
    expect(metrics.contentType).toContain('text/plain');
  });

  it('keeps two registries apart', async () => {
    const [a, b] = [new Metrics(), new Metrics()];
    a.counter('x_total', 'x').inc();
    expect(await b.text()).not.toContain('x_total');
  });
});

describe('trace context', () => {
  it('travels through a header', () => {
    const root = startSpan();
    const child = startSpan(root);
    expect(parseTraceparent(formatTraceparent(child))).toEqual(child);
    expect(child.traceId).toBe(root.traceId);
    expect(child.spanId).not.toBe(root.spanId);
  });

  it('never makes an id of zeros', () => {
    const zeros = startSpan(undefined, (size) => new Uint8Array(size));
    expect(parseTraceparent(formatTraceparent(zeros))).toEqual(zeros);
  });

  it.each([
    undefined,
    '',
    'nonsense',
    '00-00000000000000000000000000000000-1111111111111111-01',
    '00-11111111111111111111111111111111-0000000000000000-01',
    'ff-11111111111111111111111111111111-1111111111111111-01',
    '00-11111111111111111111111111111111-1111111111111111-01-more',
  ])('ignores %j', (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });

  it('reads a newer version', () => {
    expect(parseTraceparent('01-11111111111111111111111111111111-1111111111111111-00-more')).toMatchObject({
      sampled: false,
    });
  });
});
