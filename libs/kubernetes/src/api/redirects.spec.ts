import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '#libs/runtime';
import { afterEach, expect, it } from 'vitest';
import { Connection } from './connection.ts';
import { KubernetesApi } from './kubernetes-api.ts';
import { resources } from './resources.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it.each([301, 302, 303, 307, 308])(
  'an API server that sends its clients elsewhere is not followed (%i)',
  async (status) => {
    // given another server, to which the first one leads
    let seen = 0;
    const elsewhere = await serve((_request, response) => {
      seen++;
      response.end('{}');
    });
    const server = await serve((request, response) =>
      response.writeHead(status, { location: `${elsewhere}${request.url}` }).end(),
    );
    const access = { server, read: () => Promise.resolve({ headers: { authorization: 'Bearer canary' }, tls: {} }) };
    const api = new KubernetesApi({ connection: new Connection(access), clock: new SystemClock() });
    try {
      // when it is asked, in each way, then it is an error, and the other one sees nothing
      const place = { namespace: 'n', name: 'x' };
      await expect(api.get(resources.secrets, place)).rejects.toMatchObject({ status });
      await expect(api.create(resources.secrets, { namespace: 'n' }, { data: {} })).rejects.toMatchObject({ status });
      await expect(api.list(resources.pods, {})).rejects.toMatchObject({ status });
      expect(seen).toBe(0);
    } finally {
      await api.close();
    }
  },
);
