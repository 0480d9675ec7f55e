/** What a page in a browser of the same machine would have from a port: by another name that leads to it (DNS rebinding), or from another origin. */
import { request, type OutgoingHttpHeaders } from 'node:http';
import { connect, type ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { ListeningSocket } from '#libs/testing';

/** What guards a port. */
type Guard = 'refuses foreign hosts and origins' | 'speaks TLS of a CA that no browser knows' | 'wants a password';

const PATHS = [
  '/',
  '/?Action=DescribeContainerGroups&Version=2018-08-08&RegionId=cn-hangzhou',
  '/control/v1',
  '/control/v1/ledger/requests',
  '/api',
  '/apis',
  '/version',
  '/api/v1/secrets',
  '/api/v1/pods',
  '/api/v1/clusters',
  '/api/v1/container-groups',
  '/api/docs',
  '/api/docs-json',
  '/health/ready',
  '/healthz',
  '/readyz',
  '/metrics',
];

/** What guards this port, tried out; throws with what came through. */
export async function guardOf({ port, command }: ListeningSocket): Promise<Guard> {
  if (command.startsWith('postgres')) return wantsPassword(port);
  const own = `127.0.0.1:${port}`;
  if ((await ask(port, '/', { host: own })) === undefined) return tlsOfItsOwn(port);
  const hostile = [
    { host: 'rebind.evil.example' },
    { host: `rebind.evil.example:${port}`, origin: `http://rebind.evil.example:${port}` },
    { host: own, origin: 'http://evil.example' },
    { host: own, origin: 'null' },
  ];
  const open: string[] = [];
  for (const path of PATHS) {
    for (const headers of hostile) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const status = await ask(port, path, headers, method);
        if (status === undefined || status < 400) open.push(`${method} ${path} ${JSON.stringify(headers)}: ${status}`);
      }
    }
  }
  if (open.length > 0) throw new Error(`port ${port} answers pages:\n${open.join('\n')}`);
  return 'refuses foreign hosts and origins';
}

/** Status of the answer; undefined: none that is HTTP. */
function ask(port: number, path: string, headers: OutgoingHttpHeaders, method = 'GET'): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (answer) => {
      resolve(answer.statusCode);
      answer.destroy();
    });
    asked.on('error', () => resolve(undefined)).end();
  });
}

async function tlsOfItsOwn(port: number): Promise<Guard> {
  const handshake = (options: ConnectionOptions): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, servername: 'rebind.evil.example', ...options }, () => {
        resolve('ok');
        socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  if ((await handshake({ rejectUnauthorized: false })) !== 'ok')
    throw new Error(`port ${port} speaks neither HTTP nor TLS`);
  const known = await handshake({});
  if (known === 'ok') throw new Error(`port ${port} speaks TLS under any name`);
  return 'speaks TLS of a CA that no browser knows';
}

async function wantsPassword(port: number): Promise<Guard> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password: 'guess', database: 'postgres' });
  client.on('error', () => undefined);
  const refused = await client.connect().then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );
  if (refused !== '28P01') throw new Error(`port ${port} lets anybody in: ${refused}`);
  return 'wants a password';
}
