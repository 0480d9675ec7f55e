import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unstorablePlace } from '#libs/contracts';
import { AlibabaEciClient } from './alibaba-eci-client.ts';
import { identity, maximalSpec, placement } from '../spec/maximal-spec.ts';
import type { SdkClient } from './sdk.ts';

/** Whatever JSON carries, with what PostgreSQL refuses in most of it. */
const oddText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('last words\0', '\ud83d', 'x\udc00y', '\0'),
  fc.string({ unit: 'binary', minLength: 400, maxLength: 900 }),
);

/** Every text leaf of a full answer replaced by one of the odd ones. */
const odd = (shape: unknown): fc.Arbitrary<unknown> => {
  if (typeof shape === 'string') return fc.oneof(oddText, fc.constant(shape));
  if (Array.isArray(shape)) return fc.tuple(...shape.map(odd));
  if (typeof shape === 'object' && shape !== null)
    return fc.record(Object.fromEntries(Object.entries(shape).map(([key, value]) => [key, odd(value)])));
  return fc.constant(shape);
};

const AT = '2026-01-02T03:04:05Z';
const terminated = {
  state: 'Terminated',
  exitCode: 1,
  reason: 'Error',
  message: 'last words',
  startTime: AT,
  finishTime: AT,
  signal: 9,
};
const details = {
  requestId: 'R',
  nextToken: 'n',
  totalCount: 1,
  containerGroups: [
    {
      containerGroupId: 'eci-1',
      status: 'Failed',
      zoneId: 'z',
      vSwitchId: 'v',
      instanceType: 's',
      intranetIp: '10.0.0.1',
      creationTime: AT,
      failedTime: AT,
      tags: [{ key: 'eci-fleet', value: 'f' }],
      containers: [
        { name: 'c', image: 'i', ready: false, restartCount: 0, currentState: terminated, previousState: terminated },
      ],
      initContainers: [
        { name: 'i', image: 'i', currentState: { state: 'Waiting', reason: 'r', detailStatus: 'd', message: 'm' } },
      ],
      events: [{ type: 'Warning', reason: 'BackOff', message: 'm', count: 1, firstTimestamp: AT, lastTimestamp: AT }],
    },
  ],
};
const statuses = {
  requestId: 'R',
  totalCount: 1,
  data: [
    {
      containerGroupId: 'eci-1',
      status: 'Running',
      podStatus: {
        podIp: 'ip',
        startTime: AT,
        conditions: [{ type: 'Ready', status: 'False', reason: 'r', message: 'm', lastTransitionTime: AT }],
        containerStatuses: [
          {
            name: 'c',
            image: 'i',
            imageID: 'x',
            state: { terminated: { exitCode: 1, reason: 'r', message: 'm', containerID: 'id' } },
          },
          { name: 'd', image: 'i', state: { waiting: { reason: 'r', message: 'm' } } },
        ],
      },
    },
  ],
};

/** The client with an SDK that answers, or throws, what is given. */
function clientOf(answer: () => unknown): AlibabaEciClient {
  const send = (): Promise<unknown> => Promise.resolve().then(() => ({ body: answer() }));
  return new AlibabaEciClient({
    accountId: 'acc',
    region: 'cn-hangzhou',
    endpoint: { host: 'unused.example', protocol: 'https' },
    credential: () => Promise.resolve({ accessKeyId: 'LTAI-key', accessKeySecret: 'secret-key' }),
    connect: () =>
      ({
        createContainerGroupWithOptions: send,
        describeContainerGroupsWithOptions: send,
        describeContainerGroupStatusWithOptions: send,
        deleteContainerGroupWithOptions: send,
      }) as unknown as SdkClient,
  });
}

/** Every text leaf of a full answer made `length` long, but for the words that say what kind of row it is. */
const long = (shape: unknown, length: number, key = ''): unknown => {
  if (typeof shape === 'string')
    return ['status', 'state', 'type', 'containerGroupId', 'requestId', 'nextToken'].includes(key) && shape !== 'Ready'
      ? shape
      : '😀'.repeat(length / 2);
  if (Array.isArray(shape)) return shape.map((item) => long(item, length));
  if (typeof shape === 'object' && shape !== null)
    return Object.fromEntries(Object.entries(shape).map(([name, value]) => [name, long(value, length, name)]));
  return shape;
};

/** Longest text of each field, by its name. */
const lengths = (value: unknown, found: Record<string, number> = {}, key = ''): Record<string, number> => {
  if (typeof value === 'string') {
    found[key] = Math.max(found[key] ?? 0, value.length);
    if (value.includes('😀')) expect([key, value.slice(-1)]).toEqual([key, '…']);
    expect(value.isWellFormed()).toBe(true);
  } else if (Array.isArray(value)) for (const item of value) lengths(item, found, key);
  else if (typeof value === 'object' && value !== null)
    for (const [name, item] of Object.entries(value)) lengths(item, found, name);
  return found;
};

const frozen = () => clientOf(() => undefined).freeze({ ...maximalSpec, region: 'cn-hangzhou' }, placement, identity);

describe('what the cloud says', () => {
  it('has bounds: each field is cut by what it is, visibly', async () => {
    const listed = lengths(await clientOf(() => long(details, 100_000)).list({ fleet: 'f' }));
    const seen = lengths(await clientOf(() => long(statuses, 100_000)).changes({ fleet: 'f' }, undefined));

    for (const found of [listed, seen]) {
      const { message, reason, image, imageId = 0, ...names } = found;
      expect([message, reason]).toEqual([4095, 1023]);
      expect(Math.max(image!, imageId)).toBe(1023);
      expect(Math.max(...Object.values(names))).toBeLessThanOrEqual(128);
    }
  });

  it('is no id of a group when it is longer than one can be', async () => {
    const answer = { requestId: 'R', containerGroupId: 'e'.repeat(129) };
    expect(await clientOf(() => answer).create(frozen())).toMatchObject({ kind: 'unknown' });
    const row = { ...details, containerGroups: [{ ...details.containerGroups[0], containerGroupId: 'e'.repeat(129) }] };
    expect(await clientOf(() => row).list({ fleet: 'f' })).toMatchObject({ kind: 'unknown' });
  });

  it('comes in as text that can be kept, whatever its details hold', async () => {
    await fc.assert(
      fc.asyncProperty(odd(details), async (answer) => {
        const listed = await clientOf(() => answer).list({ fleet: 'f' });
        expect(unstorablePlace(listed)).toBeUndefined();
      }),
    );
  });

  it('comes in as text that can be kept, whatever its statuses hold', async () => {
    await fc.assert(
      fc.asyncProperty(odd(statuses), async (answer) => {
        const seen = await clientOf(() => answer).changes({ fleet: 'f' }, undefined);
        expect(unstorablePlace(seen)).toBeUndefined();
      }),
    );
  });

  it('marks what it had to change, and keeps the rest', async () => {
    const answer = structuredClone(details);
    answer.containerGroups[0]!.containers[0]!.currentState.message = 'bye\0bye';
    expect(await clientOf(() => answer).list({ fleet: 'f' })).toMatchObject({
      kind: 'done',
      value: { groups: [{ snapshot: { containers: [{ state: { message: 'bye\uFFFDbye', exitCode: 1 } }] } }] },
    });
  });

  it('has times that are times, or none', async () => {
    const times = fc.oneof(
      oddText,
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.constantFrom(
        '2026-02-30T00:00:00Z',
        '2026-01-02T25:00:00Z',
        'foo 1',
        '2026',
        '+275760-09-13T00:00:00.000Z',
        '0',
      ),
    );
    await fc.assert(
      fc.asyncProperty(times, async (at) => {
        const [group] = details.containerGroups;
        const answer = { ...details, containerGroups: [{ ...group, creationTime: at, failedTime: at }] };
        const listed = await clientOf(() => answer).list({ fleet: 'f' });
        if (listed.kind !== 'done') throw new Error(listed.kind);
        const { createdAt, finishedAt } = listed.value.groups[0]!.snapshot;
        expect(createdAt).toBe(finishedAt);
        if (createdAt !== undefined) {
          expect(createdAt).toBe(at);
          expect(new Date(createdAt).toISOString().slice(0, 19)).toBe(at.slice(0, 19));
        }
      }),
    );
    for (const at of [AT, '2026-01-02T03:04:05.123456789Z', '2024-02-29T23:59:59+08:00'])
      expect(
        await clientOf(() => ({
          ...details,
          containerGroups: [{ ...details.containerGroups[0], creationTime: at }],
        })).list({
          fleet: 'f',
        }),
      ).toMatchObject({ value: { groups: [{ snapshot: { createdAt: at } }] } });
  });

  it('refuses in words that can be kept, cut without halves of pairs', async () => {
    await fc.assert(
      fc.asyncProperty(oddText, oddText, oddText, async (code, message, requestId) => {
        const refusal = Object.assign(new Error('the SDK says'), {
          code,
          statusCode: 400,
          data: { Message: message, RequestId: requestId },
        });
        const answer = await clientOf(() => {
          throw refusal;
        }).delete('eci-1');
        expect(answer.kind).not.toBe('done');
        expect(unstorablePlace(answer)).toBeUndefined();
      }),
    );
  });
});
