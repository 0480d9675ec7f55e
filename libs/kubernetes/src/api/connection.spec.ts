import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Connection } from './connection.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'connection-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function kubeconfig(server: string, user?: Record<string, unknown>): Promise<string> {
  const path = join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server } }],
    users: user ? [{ name: 'u', user }] : [],
    contexts: [{ name: 'x', context: { cluster: 'c', ...(user ? { user: 'u' } : {}) } }],
    'current-context': 'x',
  };
  await writeFile(path, stringify(config));
  return path;
}

describe('a connection', () => {
  it('speaks plain HTTP to loopback, also as nobody', async () => {
    const connection = Connection.load({ kubeconfig: await kubeconfig('http://127.0.0.1:1234/') });

    expect(connection.server).toBe('http://127.0.0.1:1234');
    expect((await connection.authorize(0)).headers).not.toHaveProperty('authorization');
    await connection.close();
  });

  it.each(['http://10.0.0.1', 'http://127.evil.example', 'http://localhost.evil.example'])(
    'refuses plain HTTP to anywhere else: %s',
    async (server) => {
      const connection = Connection.load({ kubeconfig: await kubeconfig(server, { token: 't' }) });

      await expect(connection.authorize(0)).rejects.toThrow('HTTP protocol is not allowed');
    },
  );

  it('keeps its pool, and reads a rotated token after half a minute or when told to', async () => {
    await writeFile(join(folder, 'token'), 'first\n');
    const connection = Connection.load({ kubeconfig: await kubeconfig('https://127.0.0.1', { tokenFile: 'token' }) });
    const before = await connection.authorize(0);

    await writeFile(join(folder, 'token'), 'second\n');

    expect((await connection.authorize(1_000)).headers.authorization).toBe('Bearer first');
    connection.forgetCredential();
    const after = await connection.authorize(2_000);
    expect(after.headers.authorization).toBe('Bearer second');
    expect(after.dispatcher).toBe(before.dispatcher);
    await connection.close();
  });

  it('leaves commands that make credentials to client-node', async () => {
    const token = JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'made' },
    });
    const connection = Connection.load({
      kubeconfig: await kubeconfig('https://127.0.0.1', {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: 'echo',
          args: [token],
          interactiveMode: 'Never',
        },
      }),
    });

    expect((await connection.authorize(0)).headers.authorization).toBe('Bearer made');
    await connection.close();
  });

  it('says which file it cannot read', () => {
    expect(() => Connection.load({ kubeconfig: join(folder, 'none') })).toThrow(join(folder, 'none'));
  });

  it('says when there is no cluster for the context', async () => {
    const path = await kubeconfig('https://127.0.0.1');

    expect(() => Connection.load({ kubeconfig: path, context: 'none' })).toThrow(`${path} names no cluster`);
  });
});
