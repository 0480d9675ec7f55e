import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AlibabaEciClient, AlibabaEciClients, CloudAccountUnusable, type AccessKey, type EciClient } from './index.ts';
import { json, localCloud, type Reply } from '../spec/local-cloud.ts';
import { identity, maximalSpec, placement } from '../spec/maximal-spec.ts';

const CANARIES = [
  'env-canary',
  'init-env-canary',
  'registry-canary',
  'ZmlsZS1jYW5hcnk',
  'secret-key-canary',
  'stranger-canary',
];
const group = (id: string, more: object = {}) => ({ ContainerGroupId: id, Status: 'Running', ...more });

let cloud: Awaited<ReturnType<typeof localCloud>>;
let key: AccessKey;
let client: EciClient;

beforeAll(async () => {
  cloud = await localCloud();
});
afterAll(() => cloud.close());
beforeEach(async () => {
  cloud.seen.length = 0;
  key = { accessKeyId: 'LTAI-key-id', accessKeySecret: 'secret-key-canary' };
  client = await clients(cloud.url).for('acc', 'cn-hangzhou');
});

const clients = (endpoint: string) =>
  new AlibabaEciClients([{ id: 'acc', credential: () => Promise.resolve(key), endpoint, regions: ['cn-hangzhou'] }]);

describe('when the cloud does not answer as it should', () => {
  const quick = (url = cloud.url) =>
    new AlibabaEciClient({
      accountId: 'acc',
      region: 'cn-hangzhou',
      endpoint: { host: new URL(url).host, protocol: 'http' },
      credential: () => Promise.resolve(key),
      timeoutMs: 250,
    });
  const echo: Reply = (response, request) =>
    json({ RequestId: 'R', Code: 'InvalidParameter', Message: `bad ${decodeURIComponent(request.url ?? '')}` }, 400)(
      response,
      request,
    );
  const echoSecrets: Reply = (response, request) => {
    const sent = [...new URL(request.url ?? '', 'http://x').searchParams];
    const secrets = sent
      .filter(([name]) => /(EnvironmentVar.*Value|Password|Content)$/.test(name))
      .map(([, value]) => value);
    expect(secrets.join()).toContain('registry-canary');
    json({ RequestId: 'R', Code: 'InvalidParameter', Message: `bad ${secrets.join(' | ')}` }, 400)(response, request);
  };

  const faults: [string, Reply, object][] = [
    ['silence', () => undefined, { kind: 'unknown', reason: 'no answer within the timeout' }],
    [
      'a reset',
      (_response, request) => request.socket.resetAndDestroy(),
      { kind: 'unknown', reason: 'no answer: ECONNRESET' },
    ],
    [
      'a hang-up',
      (_response, request) => request.socket.destroy(),
      { kind: 'unknown', reason: 'no answer: ECONNRESET' },
    ],
    [
      'half an answer',
      (response, request) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('{"Req');
        setImmediate(() => request.socket.destroy());
      },
      { kind: 'unknown' },
    ],
    [
      'HTML with 503',
      (response) => response.writeHead(503, { 'content-type': 'text/html' }).end('<html>busy</html>'),
      { kind: 'unknown', reason: 'the answer is not JSON' },
    ],
    [
      'nothing with 500',
      (response) => response.writeHead(500).end(),
      { kind: 'unknown', reason: 'the answer is not JSON' },
    ],
    [
      'nothing with 200',
      (response) => response.writeHead(200).end(),
      { kind: 'unknown', reason: 'the answer is not JSON' },
    ],
    ['null with 200', json(null), { kind: 'unknown' }],
    ['a list with 200', json([]), { kind: 'unknown' }],
    [
      'JSON without a code',
      json({ Message: 'stranger-canary' }, 403),
      { kind: 'unknown', reason: 'HTTP 403 without a code of the cloud' },
    ],
    ['200 with an error inside', json({ Code: 'InternalError', RequestId: 'R' }), { kind: 'unknown' }],
    ['the request in its message', echo, { kind: 'refused', code: 'InvalidParameter' }],
    ['values of the request in its message', echoSecrets, { kind: 'refused', code: 'InvalidParameter' }],
    [
      'a refusal',
      json({ Code: 'OperationDenied.NoStock', Message: 'sold out', RequestId: 'R9' }, 403),
      { kind: 'refused', code: 'OperationDenied.NoStock', class: 'STOCK_OUT', message: 'sold out', requestId: 'R9' },
    ],
    [
      'throttling',
      json({ Code: 'Throttling.User', Message: 'slow down', RequestId: 'R' }, 400),
      { kind: 'retry', throttled: true },
    ],
  ];

  it.each(faults)('create survives %s', async (_name, reply, expected) => {
    cloud.will(reply);
    const quickClient = quick();
    const outcome = await quickClient.create(quickClient.freeze(maximalSpec, placement, identity));
    expect(outcome).toMatchObject(expected);
    const said = JSON.stringify(outcome);
    for (const canary of [...CANARIES, 'LTAI-key-id', 'VSwitchId=', '127.0.0.1']) expect(said).not.toContain(canary);
    expect(cloud.seen).toHaveLength(1);
  });

  it.each(faults.slice(0, 11))('no list, change or description is made up of %s', async (name, reply) => {
    cloud.will(reply, reply, reply, reply);
    const quickClient = quick();
    const answers = [
      await quickClient.list({ fleet: 'f' }),
      await quickClient.changes({ fleet: 'f' }, 60),
      await quickClient.describe(['eci-1']),
    ];
    const deleted = await quickClient.delete('eci-1');
    // The SDK does not show what a 200 really said; a delete that was accepted proves nothing anyway.
    if (!name.startsWith('200')) answers.push(deleted as (typeof answers)[number]);
    expect(answers.map((answer) => answer.kind)).not.toContain('done');
    expect(JSON.stringify(answers)).not.toContain('127.0.0.1');
    expect(cloud.seen).toHaveLength(4);
  });

  it.each([301, 302, 303, 307, 308])('a redirect (%i) is neither followed nor taken for an answer', async (status) => {
    const elsewhere = await localCloud();
    try {
      const redirect: Reply = (response) =>
        response
          .writeHead(status, { location: `${elsewhere.url}/taken`, 'content-type': 'application/json' })
          .end(JSON.stringify({ RequestId: 'R', ContainerGroupId: 'eci-stranger-canary', TotalCount: 0 }));
      cloud.will(redirect, redirect, redirect, redirect, redirect);
      const quickClient = quick();
      const answers = [
        await quickClient.create(quickClient.freeze(maximalSpec, placement, identity)),
        await quickClient.list({ fleet: 'f' }),
        await quickClient.changes({ fleet: 'f' }, 60),
        await quickClient.describe(['eci-1']),
        await quickClient.delete('eci-1'),
      ];
      expect(answers.map(({ kind }) => kind)).toEqual(Array(5).fill('unknown'));
      expect(JSON.stringify(answers)).not.toContain('canary');
      expect(elsewhere.seen).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('a refused connection was never sent', async () => {
    const gone = await localCloud();
    await gone.close();
    const away = quick(gone.url);
    expect(await away.create(away.freeze(maximalSpec, placement, identity))).toEqual({
      kind: 'retry',
      reason: 'no answer: ECONNREFUSED',
    });
    expect(await away.list({ fleet: 'f' })).toEqual({ kind: 'unknown', reason: 'no answer: ECONNREFUSED' });
  });

  it.each([
    [new CloudAccountUnusable('credential', 'file /key?Signature=canary'), true],
    [new Error('sts https://sts/?Signature=canary'), undefined],
    [new TypeError('x is not a function?canary'), undefined],
    [new RangeError('no credential: ?canary'), undefined],
  ])(
    'without a credential (%s) nothing was sent, and the account is at fault only if that is said',
    async (error, fault) => {
      const keyless = new AlibabaEciClient({
        accountId: 'acc',
        region: 'cn-hangzhou',
        endpoint: { host: '127.0.0.1:1', protocol: 'http' },
        credential: () => Promise.reject(error),
      });
      const created = await keyless.create(keyless.freeze(maximalSpec, placement, identity));
      const listed = await keyless.list({ fleet: 'f' });
      expect([created.kind, listed.kind]).toEqual(['retry', 'unknown']);
      for (const answer of [created, listed]) {
        expect((answer as { noCredential?: boolean }).noCredential).toBe(fault);
        expect(JSON.stringify(answer)).not.toContain('canary');
      }
    },
  );

  it('answers whose types are wrong are unknown, never a crash', async () => {
    cloud.will(
      json({ RequestId: 'R', ContainerGroups: [group('a', { Cpu: 'many' })] }),
      json({ RequestId: 'R', ContainerGroups: { a: 1 } }),
      json({ RequestId: 'R', ContainerGroups: [{ Status: 'Running' }] }),
      json({ RequestId: 'R', Data: [{ Status: 'Running' }] }),
      json({ RequestId: 'R', TotalCount: 3 }),
    );
    expect(await client.list({ fleet: 'f' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringMatching(/schema/) as string,
    });
    expect(await client.list({ fleet: 'f' })).toMatchObject({ kind: 'unknown' });
    expect(await client.list({ fleet: 'f' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringMatching(/without an id/) as string,
    });
    expect(await client.changes({ fleet: 'f' }, 60)).toMatchObject({ kind: 'unknown' });
    expect(await client.list({ fleet: 'f' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringMatching(/without a list/) as string,
    });
  });
});
