import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RigUnavailable } from '../preparing/rig-unavailable.ts';
import type { RigsOfARun, SharedRigs } from './rigs.ts';

/**
 * A desk on loopback where spec files, each in a process of its own, ask the run's main process for a rig. So a rig starts when the first
 * spec wants it, once, and a run that wants none starts none.
 */
export async function openDesk(rigs: RigsOfARun): Promise<{ address: string; close(): Promise<void> }> {
  const secret = randomBytes(16).toString('hex');
  const server: Server = createServer((request, response) => {
    const [, given, name] = (request.url ?? '').split('/');
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
    };
    if (given !== secret || !isRig(name)) return answer(404, { message: 'no such rig' });
    rigs.get(name).then(
      (rig) => answer(200, rig),
      (error: unknown) => answer(503, { message: error instanceof Error ? error.message : String(error) }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  server.unref();
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${secret}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Asks the desk. A rig that cannot be had throws with the sentence that says why. */
export async function askDesk<Name extends keyof SharedRigs>(address: string, name: Name): Promise<SharedRigs[Name]> {
  const answer = await fetch(`${address}/${name}`);
  const body = (await answer.json()) as SharedRigs[Name] & { message?: string };
  if (!answer.ok) throw new RigUnavailable(body.message ?? `the ${name} rig cannot be had`);
  return body;
}

function isRig(name: string | undefined): name is keyof SharedRigs {
  return name === 'postgres' || name === 'kafka' || name === 'kubernetes';
}
