import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KubernetesError, type KubernetesApi } from '#libs/kubernetes';
import { Metrics, silentLogger } from '#libs/observability';
import { SystemClock, SystemRandom } from '#libs/runtime';
import { eventually, newTls, type TestTls } from '#libs/testing';
import type { EciProfile } from '../profile/profile.ts';
import { Webhook } from './webhook.ts';

const asked: { readonly name: string; readonly priority: string | undefined }[] = [];
let url: string;
let webhook: Webhook;
let tls: TestTls;

const refusal = (status: number, reason: string): KubernetesError =>
  new KubernetesError({ request: 'spec', status, reason, detail: '' });

/** An API server that lets the agent follow no namespaces, as with a role of before. */
function apiServer(): KubernetesApi {
  const answers: Record<string, unknown> = {
    find: () => Promise.resolve(undefined),
    create: (_: unknown, __: unknown, body: { webhooks: { clientConfig: { url: string } }[] }) => {
      url = body.webhooks[0]!.clientConfig.url;
      return Promise.resolve(body);
    },
    get: (_: unknown, { name }: { name: string }, options: { priority?: string } = {}) => {
      asked.push({ name, priority: options.priority });
      if (name !== 'web') return Promise.reject(refusal(404, 'NotFound'));
      return Promise.resolve({ metadata: { name, labels: { 'alibabacloud.com/eci': 'true' } } });
    },
  };
  return new Proxy({} as KubernetesApi, {
    get: (_, name) => answers[String(name)] ?? (() => Promise.reject(refusal(403, 'Forbidden'))),
  });
}

beforeAll(async () => {
  tls = await newTls();
  webhook = new Webhook({
    api: apiServer(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    metrics: new Metrics(),
    config: {
      host: '127.0.0.1',
      port: 0,
      url: 'https://127.0.0.1:0',
      service: 'eci-fleet-agent',
      given: { ...tls.tls, caFile: tls.caFile },
    },
    namespace: 'eci-fleet',
    nodeName: 'virtual-kubelet',
    taint: { key: 'virtual-kubelet.io/provider', value: 'alibabacloud', effect: 'NoSchedule' },
    profile: () => ({ selectors: [] }) as unknown as EciProfile,
  });
  webhook.start();
  await eventually(() => webhook.registered, { what: 'the webhook is registered' });
});
afterAll(() => webhook.stop());

function review(namespace: string): Promise<{ allowed: boolean; patch?: string; warnings?: string[] }> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', rejectUnauthorized: false, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve((JSON.parse(text) as { response: { allowed: boolean } }).response));
    });
    call
      .on('error', reject)
      .end(JSON.stringify({ request: { uid: 'u', namespace, object: { metadata: {}, spec: {} } } }));
  });
}

it('asks for a namespace that it does not follow, and steers its pod', async () => {
  expect(await review('web')).toMatchObject({ allowed: true, patch: expect.any(String) });
});

it('lets pods of namespaces that nobody knows pass, asks for each once, and never before the heartbeats', async () => {
  const strange = ['nowhere', '../../secrets', 'a'.repeat(500), '', 'constructor'];
  for (const name of [...strange, ...strange]) {
    expect(await review(name)).toMatchObject({ allowed: true, warnings: [expect.stringContaining('could not be')] });
  }
  expect(asked.map(({ name }) => name).filter((name) => name !== 'web')).toEqual(strange);
  expect(new Set(asked.map(({ priority }) => priority))).toEqual(new Set(['high']));
});

it('shows the certificate that is in its files, without a restart, and keeps the old one while they do not fit', async () => {
  const shown = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca: tls.ca }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      }).on('error', reject);
    });
  const next = await tls.renew();
  expect(await shown()).not.toBe(next);
  webhook.nudge();
  await eventually(async () => (await shown()) === next, { what: 'the next certificate is shown' });

  // A key of another certificate, as between two writes: the half is never shown, the whole is.
  const key = await readFile(tls.tls.keyFile);
  await writeFile(tls.tls.keyFile, await readFile((await newTls()).tls.keyFile));
  webhook.nudge();
  expect(await shown()).toBe(next);
  await writeFile(tls.tls.keyFile, key);
  const last = await tls.renew();
  webhook.nudge();
  await eventually(async () => (await shown()) === last, { what: 'the last certificate is shown' });
});
