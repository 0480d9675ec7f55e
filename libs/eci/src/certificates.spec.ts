import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { newTls, type TestTls } from '#libs/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AlibabaEciClients, assumeRole, parseEndpoint } from './index.ts';

const KEY = { accessKeyId: 'LTAI-id', accessKeySecret: 'canary' };
let tls: TestTls;
let seen = 0;
let endpoint: string;
const server = createServer((_request, response) => {
  seen++;
  // Kept open connections would hide whom the next one believes.
  response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
  response.end('{"RequestId":"R","TotalCount":0,"ContainerGroups":[]}');
});

beforeAll(async () => {
  tls = await newTls();
  server.setSecureContext({ cert: await readFile(tls.tls.certFile), key: await readFile(tls.tls.keyFile) });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const asked = async (caFile?: string) => {
  const credential = () => Promise.resolve(KEY);
  const clients = new AlibabaEciClients([{ id: 'a', credential, endpoint, regions: ['cn-hangzhou'] }], { caFile });
  return (await clients.for('a', 'cn-hangzhou')).describe(['eci-1']);
};

it('an endpoint is believed with its CA and no other, and is sent nothing before', async () => {
  expect(await asked(tls.caFile)).toMatchObject({ kind: 'done', value: [] });
  expect(seen).toBe(1);
  for (const caFile of [undefined, (await newTls()).caFile, '/nowhere/ca.crt']) {
    expect(await asked(caFile)).not.toMatchObject({ kind: 'done' });
    const role = { key: KEY, roleArn: 'acs:ram::1:role/r', endpoint: parseEndpoint(endpoint)!, caFile };
    await expect(assumeRole(role)).rejects.toThrow();
  }
  expect(seen).toBe(1);
});

it('an endpoint is believed by the CA that is in the file at the next call', async () => {
  // given a client that was answered
  const credential = () => Promise.resolve(KEY);
  const accounts = [{ id: 'a', credential, endpoint, regions: ['cn-hangzhou'] }];
  const client = await new AlibabaEciClients(accounts, { caFile: tls.caFile }).for('a', 'cn-hangzhou');
  expect(await client.describe(['eci-1'])).toMatchObject({ kind: 'done' });

  // when the file holds another CA, and then the first again
  await writeFile(tls.caFile, (await newTls()).ca);
  const refused = await client.describe(['eci-1']);
  await writeFile(tls.caFile, tls.ca);

  // then the calls go by it, and say why
  expect(refused).toMatchObject({ kind: 'unknown' });
  expect(JSON.stringify(refused)).toContain('certificate of the endpoint is not believed');
  expect(await client.describe(['eci-1'])).toMatchObject({ kind: 'done' });
});
