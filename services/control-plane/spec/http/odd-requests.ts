/** For the fuzz of the API: requests that nobody would make, for every route of its OpenAPI document. */
import fc from 'fast-check';
import { BEGINNING, encodeCursor } from '#libs/event-store';
import type { DocumentedRoute } from './api-document.ts';

export interface OddRequest {
  readonly method: string;
  /** As it goes on the wire. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

const feed = encodeCursor(BEGINNING);
const iso = '2026-01-01T00:00:00.000Z';

/** What a list put into its cursor before they were signed. */
export const bareCursor = (parts: unknown): string => Buffer.from(JSON.stringify(parts), 'utf8').toString('base64url');

const ODD_TEXTS = [
  '\0',
  'a\0b',
  '\ud800',
  '\udc00x',
  '\n',
  '\u0085',
  '',
  ' ',
  'c1',
  'default',
  "'; drop table cluster; --",
  '%00',
  '%',
  '../../etc/passwd',
  '\u{1f980}'.repeat(80),
  'x'.repeat(3_000),
  '__proto__',
  '9223372036854775808',
  '-1',
  '1e400',
  'NaN',
  'Infinity',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '2026-01-01T00:00:00+23:59',
  'container_group:c1:\0',
  'c1/\0',
  'a/b/c',
  '00000000-0000-0000-0000-000000000000',
];
const oddText = fc.oneof(
  fc.constantFrom(...ODD_TEXTS),
  fc.string({ unit: 'binary', maxLength: 40 }),
  // Every UTF-16 unit, lone surrogates too.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
  fc
    .constantFrom('clusters', 'accounts', 'orphans', 'quarantine', 'seals', 'history', 'held-stops', 'container-groups')
    .chain((list) =>
      fc
        .array(
          fc.oneof(fc.jsonValue(), fc.constantFrom(...ODD_TEXTS), fc.double(), fc.constant(feed), fc.constant(iso)),
          { maxLength: 4 },
        )
        .map((rest) => bareCursor([list, ...rest])),
    ),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
);
/** On the wire: encoded, as it comes, or encoded wrongly. */
const wire = fc.oneof(
  { weight: 6, arbitrary: oddText.map((text) => encodeURIComponent(text.toWellFormed())) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('%', '%zz', '%ff', '%ed%a0%80', '%c0%80', '%00', '%252500', '&&=', '[]', '\u00e9'),
  },
);
const oddJson = fc.oneof(
  oddText,
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1e300,
    2 ** 53,
    [],
    {},
    ['u1', '\0'],
    { '\0': '\0' },
    { kind: 'file', path: '/\0' },
  ),
);
const oddHeaders = fc.record(
  {
    'idempotency-key': fc.constantFrom('k', 'a b', 'x'.repeat(201), 'x'.repeat(4_000), '\u00e9', ''),
    'if-match': fc.constantFrom(
      '"x"',
      '*',
      'x',
      'W/"x"',
      '"a", "b"',
      '"',
      `"${'x'.repeat(4_000)}"`,
      '"9-9-9-0123456789abcdef"',
    ),
    'if-none-match': fc.constantFrom('*', '"', 'W/"\u00e9"', ','.repeat(2_000)),
    authorization: fc.constantFrom('Bearer', 'Bearer \u00ff', 'Basic x', ''),
    accept: fc.constantFrom('text/html', '*/*;q=nonsense', ''),
    'accept-encoding': fc.constantFrom('zip', ''),
    traceparent: fc.constantFrom('00-\u00ff', ''),
    'x-forwarded-for': fc.constantFrom("'", '\u00ff'),
    'x-http-method-override': fc.constantFrom('DELETE'),
    'content-encoding': fc.constantFrom('gzip', 'zip', 'identity', ''),
    'content-type': fc.constantFrom(
      'text/plain',
      'application/json; charset=utf-7',
      'application/json;;',
      '',
      'application/x-www-form-urlencoded',
    ),
  },
  { requiredKeys: [] },
);
const jwtPart = (value: unknown): string => Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
/** What may well be meant, so that a request comes as far as to be carried out. */
const nearlyRight = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      'c1',
      'default',
      'a',
      iso,
      `${jwtPart({ alg: 'ES256' })}.${jwtPart({ iss: 'c1', sub: 'c1' })}.c2ln`,
      `${jwtPart({ alg: 'none' })}.${jwtPart({ iss: 'nobody', exp: 1e300 })}.`,
    ),
  },
  { weight: 1, arbitrary: oddJson },
);
/** Deeper than whoever calls itself can go. */
const DEEP = `{"publicKey":${'{"a":'.repeat(90_000)}1${'}'.repeat(90_001)}`;

/** Any request of one route, from nearly right to nonsense. */
export function oddRequest(route: DocumentedRoute): fc.Arbitrary<OddRequest> {
  const { method, queryNames, bodyNames = ['by'], requiredNames } = route;
  const places = route.path.split(/\{\w+\}/);
  return fc
    .record({
      values: fc.array(wire, { minLength: places.length, maxLength: places.length }),
      query: fc.oneof(
        { weight: 1, arbitrary: fc.constant<[string, string][]>([]) },
        {
          weight: 2,
          arbitrary: fc.array(fc.tuple(fc.constantFrom(...queryNames, 'surprise', '%00', 'limit'), wire), {
            maxLength: 3,
          }),
        },
      ),
      headers: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: oddHeaders }),
      body: fc.oneof(
        {
          weight: 8,
          arbitrary: fc
            .dictionary(fc.constantFrom(...(bodyNames.length > 0 ? bodyNames : ['by'])), oddJson)
            .map((body) => JSON.stringify(body)),
        },
        {
          weight: 4,
          arbitrary: fc
            .record(Object.fromEntries(requiredNames.map((name) => [name, nearlyRight])))
            .map((body) => JSON.stringify(body)),
        },
        { weight: 1, arbitrary: fc.dictionary(oddText, oddJson).map((body) => JSON.stringify(body)) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            DEEP,
            '[',
            '{"a":1',
            'null',
            '"\\ud800"',
            '[]',
            '\0',
            '{"a":"\\u0000"}',
            '{"by":"\\ud800"}',
          ),
        },
      ),
    })
    .map(({ values, query, headers, body }) => {
      const path = places.map((place, i) => (i === 0 ? place : `${values[i]}${place}`)).join('');
      const sent = method === 'GET' ? undefined : body;
      return {
        method,
        path: `${path}${query.length > 0 ? '?' : ''}${query.map(([name, value]) => `${name}=${value}`).join('&')}`,
        headers: {
          ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
          ...(sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) }),
        },
        ...(sent === undefined ? {} : { body: sent }),
      };
    });
}
