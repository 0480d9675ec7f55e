import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, digestOf, type RecordedEvent } from '#libs/event-store';
import { sealFromEvent, sealMessage } from '../audit/seal-message.ts';
import { makeSeal, type SealEntry } from '../audit/seal.ts';
import { accepted, story } from '../../spec/for-specs.ts';
import { cloudEvent } from './cloud-events.ts';

const recorded: RecordedEvent = {
  ...story([accepted('c1', 'u1')])[0]!,
  streamId: 'container_group:c1:u1',
  version: 12,
  cursor: { generation: 1, transactionId: '812', position: '4711' },
  recordedAt: '2026-03-01T10:00:00.250Z',
};

const seal = makeSeal({
  fleet: 'eci-fleet',
  previous: undefined,
  from: { generation: 1, transactionId: '0', position: '0' },
  through: { generation: 1, transactionId: '7', position: '9' },
  entries: [
    { streamId: 's', version: 1, type: 'T', recordedAt: '2026-03-01T10:00:00.000000Z', digest: '00'.repeat(32) },
  ],
  sealedAt: '2026-03-01T10:00:02.000Z',
  signer: undefined,
});

type Message = ReturnType<typeof cloudEvent>;
const bodyOf = ({ value }: Message): Record<string, unknown> =>
  JSON.parse(Buffer.from(value ?? []).toString('utf8')) as Record<string, unknown>;

describe.each([
  ['an event', cloudEvent(recorded, 'eci-fleet')],
  ['a seal', sealMessage(seal)],
])('%s on the feed is a CloudEvent 1.0 in structured mode:', (_, message) => {
  const body = bodyOf(message);

  it('it has what is required, and none of it is empty', () => {
    for (const name of ['id', 'source', 'specversion', 'type'] as const) expect(body[name]).toMatch(/\S/);
    expect(body['specversion']).toBe('1.0');
    expect(URL.canParse(String(body['source']))).toBe(true);
  });

  it('names of attributes are lower-case letters and digits, at most 20', () => {
    for (const name of Object.keys(body).filter((each) => each !== 'data')) expect(name).toMatch(/^[a-z0-9]{1,20}$/);
  });

  it('attributes are strings; only data is more', () => {
    for (const [name, value] of Object.entries(body)) if (name !== 'data') expect(typeof value).toBe('string');
    expect(body['datacontenttype']).toBe('application/json');
    expect(typeof body['data']).toBe('object');
  });

  it('its time is RFC 3339', () => {
    expect(body['time']).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/);
  });

  it('is bound to Kafka as the specification says: content type, and the partition key as key', () => {
    expect(message.headers?.['content-type']).toMatch(/^application\/cloudevents\+json(;|$)/);
    expect(message.key).toBe(body['partitionkey']);
  });

  it('has a sequence of type Integer, from 1', () => {
    expect(body['sequence']).toMatch(/^[1-9]\d*$/);
    expect(body['sequencetype']).toBe('Integer');
  });
});

describe('an event on the feed', () => {
  const body = bodyOf(cloudEvent(recorded, 'eci-fleet'));

  it('says where a reader goes on, and what the event hashes to as it is stored', () => {
    expect(decodeCursor(String(body['cursor']))).toEqual(recorded.cursor);
    expect(body['digest']).toBe(digestOf(recorded.streamId, recorded.version, recorded).toString('hex'));
    expect(body).toMatchObject({ sequence: '12', subject: recorded.streamId, recordedat: recorded.recordedAt });
  });

  it('holds neither the pod nor digests of sealed values', () => {
    const text = JSON.stringify(body);
    expect(text).not.toContain('clearPod');
    expect(text).not.toContain('digest-of-a-sealed-value');
  });
});

describe('a seal on the feed', () => {
  const text = fc.string({ unit: 'binary' }).filter((each) => each.isWellFormed());
  const entry: fc.Arbitrary<SealEntry> = fc.record({
    streamId: text,
    version: fc.integer({ min: 1 }),
    type: text,
    recordedAt: fc.constant('2026-03-01T10:00:00.000000Z'),
    digest: fc.constant('ab'.repeat(32)),
  });

  it('comes back as it was, whatever its events are called', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 8 }), (entries) => {
        const sent = makeSeal({ ...seal, previous: undefined, entries, signer: undefined });
        expect(sealFromEvent(bodyOf(sealMessage(sent)))).toEqual(sent);
      }),
    );
  });

  it('is refused with its place when it breaks its schema, and other events are none', () => {
    const body = bodyOf(sealMessage(seal));
    expect(() => sealFromEvent({ ...body, data: { ...(body['data'] as object), events: 'many' } })).toThrow(
      'data.events',
    );
    expect(sealFromEvent(bodyOf(cloudEvent(recorded, 'eci-fleet')))).toBeUndefined();
    expect(sealFromEvent(undefined)).toBeUndefined();
  });
});
