import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unstorablePlace } from '#libs/contracts';
import { AlibabaEciClient } from './alibaba-eci-client.ts';
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

const terminated = {
  state: 'Terminated',
  exitCode: 1,
  reason: 'Error',
  message: 'last words',
  startTime: 't',
  finishTime: 't',
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
      creationTime: 't',
      failedTime: 't',
      tags: [{ key: 'eci-fleet', value: 'f' }],
      containers: [
        { name: 'c', image: 'i', ready: false, restartCount: 0, currentState: terminated, previousState: terminated },
      ],
      initContainers: [
        { name: 'i', image: 'i', currentState: { state: 'Waiting', reason: 'r', detailStatus: 'd', message: 'm' } },
      ],
      events: [{ type: 'Warning', reason: 'BackOff', message: 'm', count: 1, firstTimestamp: 't', lastTimestamp: 't' }],
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
        startTime: 't',
        conditions: [{ type: 'Ready', status: 'False', reason: 'r', message: 'm', lastTransitionTime: 't' }],
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
        describeContainerGroupsWithOptions: send,
        describeContainerGroupStatusWithOptions: send,
        deleteContainerGroupWithOptions: send,
      }) as unknown as SdkClient,
  });
}

describe('what the cloud says', () => {
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
