import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Loopback TCP ports that nothing listens on now. They lie below the range from which systems give out ports for outgoing connections:
 * a rig that is killed and started again finds its port still free.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let tries = 0; found.length < count; tries++) {
    if (tries > 500) throw new Error('no free TCP port on 127.0.0.1 between 20000 and 32000');
    const port = randomInt(20_000, 32_000);
    if (!found.includes(port) && (await isFree(port))) found.push(port);
  }
  return found;
}

/** See {@link freePorts}. */
export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
