import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { plainAccess, serviceAccountAccess } from './plain-access.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plain-access-'));
});
afterEach(() => rm(folder, { recursive: true }));

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('plain access', () => {
  it('is by what stands in the kubeconfig, or in files beside it', async () => {
    await writeFile(join(folder, 'client.key'), 'KEY');

    const access = plainAccess({
      cluster: {
        server: 'https://k:6443/',
        'certificate-authority-data': base64('CA'),
        'tls-server-name': 'kubernetes',
      },
      user: { 'client-certificate-data': base64('CERT'), 'client-key': 'client.key' },
      folder,
    });

    expect(access?.server).toBe('https://k:6443');
    expect(await access?.read()).toEqual({
      headers: {},
      tls: { ca: Buffer.from('CA'), cert: Buffer.from('CERT'), key: Buffer.from('KEY'), servername: 'kubernetes' },
    });
  });

  it('verifies servers unless it is told not to', async () => {
    const read = async (cluster: Record<string, unknown>) =>
      (await plainAccess({ cluster: { server: 'https://k', ...cluster }, user: { token: 't' }, folder })!.read()).tls;

    expect(await read({})).toEqual({});
    expect(await read({ 'insecure-skip-tls-verify': true })).toEqual({ rejectUnauthorized: false });
  });

  it.each([
    ['a proxy', { server: 'https://k', 'proxy-url': 'http://p' }, {}],
    ['a command', { server: 'https://k' }, { exec: {} }],
    ['an identity provider', { server: 'https://k' }, { 'auth-provider': {} }],
    ['a password', { server: 'https://k' }, { username: 'u', password: 'p' }],
    ['acting as another', { server: 'https://k' }, { token: 't', as: 'admin' }],
    ['plain HTTP to another machine', { server: 'http://10.0.0.1' }, { token: 't' }],
  ])('is not for %s', (_, cluster, user) => {
    expect(plainAccess({ cluster, user, folder })).toBeUndefined();
  });

  it('of a pod is to the address it was given', () => {
    expect(serviceAccountAccess({ host: 'fd00::1', port: 443 }).server).toBe('https://[fd00::1]:443');
  });
});
