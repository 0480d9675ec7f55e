import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder, type TemporaryFolder } from '#libs/testing';
import type { CredentialReference, CredentialSource } from './credential-sources.ts';
import { Credentials } from './credentials.ts';

const KEY = { accessKeyId: 'LTAI-id', accessKeySecret: 'canary-secret' };
let folder: TemporaryFolder;
let now: number;

beforeEach(async () => {
  now = 0;
  folder = temporaryFolder('credentials');
  await mkdir(join(folder.path, 'named'));
  await writeFile(join(folder.path, 'named', 'payments.json'), JSON.stringify(KEY));
  await writeFile(join(folder.path, 'outside.json'), JSON.stringify(KEY));
});
afterEach(() => folder.remove());

const credentials = (named: Record<string, CredentialSource> = {}, variables: Record<string, string> = {}) =>
  new Credentials({
    configured: { named: new Map(Object.entries(named)), folder: join(folder.path, 'named') },
    variable: (name) => variables[name],
    now: () => now,
  });

const fromFile = (name: string): CredentialSource => ({ kind: 'file', path: join(folder.path, name) });

describe('a credential', () => {
  it('is the environment, a file or a folder, as the list says', async () => {
    const mounted = join(folder.path, 'mounted');
    await mkdir(mounted);
    await writeFile(join(mounted, 'accessKeyId'), 'STS.id\n');
    await writeFile(join(mounted, 'accessKeySecret'), 'secret\n');
    const all = credentials(
      {
        env: { kind: 'environment', accessKeyIdVariable: 'ID', accessKeySecretVariable: 'SECRET' },
        file: fromFile('outside.json'),
        folder: { kind: 'folder', path: mounted },
      },
      { ID: ' i ', SECRET: 's' },
    );
    expect(await all.read('env')).toEqual({ accessKeyId: 'i', accessKeySecret: 's' });
    expect(await all.read('file')).toEqual(KEY);
    expect(await all.read('folder')).toEqual({ accessKeyId: 'STS.id', accessKeySecret: 'secret' });
    await writeFile(join(mounted, 'securityToken'), 'token');
    now += 30_000;
    expect(await all.read('folder')).toMatchObject({ securityToken: 'token' });
    expect(await Promise.all(['env', 'file', 'folder'].map((name) => all.knows(name)))).toEqual([true, true, true]);
  });

  it('is a file of the folder, from when it is there on, and by a link as Secrets are mounted', async () => {
    const all = credentials();
    expect(await all.read('payments')).toEqual(KEY);
    expect([await all.knows('payments'), await all.knows('later')]).toEqual([true, false]);
    await symlink(join(folder.path, 'outside.json'), join(folder.path, 'named', 'later.json'));
    expect(await all.knows('later')).toBe(true);
    expect(await all.read('later')).toEqual(KEY);
  });

  it('is a role, which STS grants to the key of another', async () => {
    const seen: string[] = [];
    const sts = createServer((request, response) => {
      seen.push(`${request.url} ${request.headers['authorization']}`);
      const key = {
        AccessKeyId: 'STS.id',
        AccessKeySecret: 's',
        SecurityToken: 't',
        Expiration: '2026-11-30T13:00:00Z',
      };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ RequestId: 'R', Credentials: key }));
    });
    await new Promise<void>((resolve) => sts.listen(0, '127.0.0.1', resolve));
    try {
      now = Date.parse('2026-11-30T12:00:00Z');
      const endpoint = `http://127.0.0.1:${(sts.address() as AddressInfo).port}`;
      const all = credentials({
        batch: { kind: 'role', roleArn: 'acs:ram::1:role/batch', credential: 'payments', endpoint },
        lost: { kind: 'role', roleArn: 'acs:ram::1:role/batch', credential: 'nobody', endpoint },
      });
      const key = { accessKeyId: 'STS.id', accessKeySecret: 's', securityToken: 't' };
      expect([await all.knows('batch'), await all.read('batch'), await all.read('batch')]).toEqual([true, key, key]);
      expect(seen).toEqual([expect.stringContaining(`Credential=${KEY.accessKeyId}`)]);
      expect(seen.join()).not.toContain(KEY.accessKeySecret);
      await expect(all.read('lost')).rejects.toMatchObject({ name: 'CloudAccountUnusable', code: 'credential' });
      expect(seen).toHaveLength(1);
    } finally {
      sts.closeAllConnections();
      await new Promise((resolve) => sts.close(resolve));
    }
  });

  it('of the list goes before one of the folder', async () => {
    const all = credentials({ payments: fromFile('not-there.json') });
    await expect(all.read('payments')).rejects.toMatchObject({ name: 'CloudAccountUnusable', code: 'credential' });
  });

  it.each([
    '../outside',
    'named/../../outside',
    '/etc/passwd',
    '..',
    '.',
    '',
    'Payments',
    'payments\u0000',
    'payments.json',
    'payments/',
    '-payments',
    '__proto__',
    'constructor',
    'a'.repeat(64),
  ])('that is called %j does not exist, whatever the file system has', async (name) => {
    const all = credentials();
    expect(await all.knows(name)).toBe(false);
    await expect(all.read(name)).rejects.toMatchObject({ name: 'CloudAccountUnusable', code: 'credential' });
  });

  it('of an account of before there were names is read where that says', async () => {
    const all = credentials({}, { OTHER_KEY: 'i', OTHER_SECRET: 's' });
    const old = {
      kind: 'environment',
      accessKeyIdVariable: 'OTHER_KEY',
      accessKeySecretVariable: 'OTHER_SECRET',
    } as const;
    expect(await all.read(old)).toEqual({ accessKeyId: 'i', accessKeySecret: 's' });
    expect(await all.read({ kind: 'file', path: join(folder.path, 'outside.json') })).toEqual(KEY);
  });

  it.each<[string, () => Promise<CredentialReference>]>([
    [
      'no variable',
      () => Promise.resolve({ kind: 'environment', accessKeyIdVariable: 'A', accessKeySecretVariable: 'B' }),
    ],
    ['no file', () => Promise.resolve({ kind: 'file', path: '/not/there' })],
    ['a folder for a file', () => Promise.resolve({ kind: 'file', path: folder.path })],
    ['a device that never ends', () => Promise.resolve({ kind: 'file', path: '/dev/zero' })],
    ['something too long', () => written('x'.repeat(70_000))],
    ['no JSON', () => written('canary-text')],
    ['JSON that is no key', () => written('{"accessKeyId":"canary-id"}')],
  ])('that leads to %s is missing, and nothing of what is there is told', async (_, made) => {
    const failed = credentials().read(await made());
    await expect(failed).rejects.toMatchObject({ name: 'CloudAccountUnusable', code: 'credential' });
    await expect(failed).rejects.not.toThrow(/canary/);
  });
});

async function written(text: string): Promise<CredentialReference> {
  const path = join(folder.path, 'odd');
  await writeFile(path, text);
  return { kind: 'file', path };
}
