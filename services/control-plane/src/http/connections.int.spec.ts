import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, eventually, type TestDatabase, newTls } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { ADMIN_TOKEN, call, newMessaging, testConfig } from '../../spec/for-specs.ts';

let database: TestDatabase;
let messaging: Messaging;
let plane: ControlPlane;
let overTls: ControlPlane;

beforeAll(async () => {
  database = await createTestDatabase();
  messaging = newMessaging();
  const config = await testConfig(database.url, { FLEET_ROLES: 'api' });
  const http = { ...config.http, requestMs: 1_000, connections: 16 };
  plane = await startControlPlane({ ...config, http }, { messaging });
  const { tls } = await newTls();
  overTls = await startControlPlane({ ...config, http: { ...http, adminToken: ADMIN_TOKEN, tls } }, { messaging });
});

afterAll(async () => {
  await plane?.stop();
  await overTls?.stop();
  await messaging?.close();
  await database?.drop();
});

interface Speaker {
  readonly socket: Socket;
  readonly said: () => string;
  /** Resolves when the other side has ended it. */
  readonly closed: Promise<void>;
}

/** Somebody who speaks as slowly as they like. */
async function speaker(url: string, localAddress = '127.0.0.1'): Promise<Speaker> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  let text = '';
  socket.on('data', (part: Buffer) => (text += part.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed]);
  return { socket, said: () => text, closed };
}

const HEAD =
  'POST /api/v1/agent/session HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n';

describe('a request that does not come to its end', () => {
  it.each([
    ['after a byte of its body', `${HEAD}\r\n{`],
    ['in the middle of its headers', HEAD],
    ['before its first byte', ''],
  ])('is not waited for: %s', async (_, words) => {
    const { socket, said, closed } = await speaker(plane.url);
    socket.write(words);
    await closed;
    if (words !== '') expect(said()).toContain('408');
  });

  it('is not waited for, although it goes on byte by byte', async () => {
    const { socket, said, closed } = await speaker(plane.url);
    socket.write(`${HEAD}\r\n`);
    const more = setInterval(() => socket.write(' '), 50);
    await closed.finally(() => clearInterval(more));
    expect(said()).toContain('408');
  });

  it('is not waited for when it has not even begun to speak TLS', async () => {
    const { closed } = await speaker(overTls.url);
    await closed;
  });

  it('keeps nobody else from being answered', async () => {
    const slow = await Promise.all(Array.from({ length: 5 }, () => speaker(plane.url)));
    for (const { socket } of slow) socket.write(`${HEAD}\r\n{`);
    expect((await call(plane.url, 'GET', '/api/v1/clusters')).status).toBe(200);
    await Promise.all(slow.map(({ closed }) => closed));
  });
});

describe('connections', () => {
  it('of one address are half of all, and all have an end; who is let in is answered', async () => {
    const answered = async ({ socket, said, closed }: Speaker): Promise<boolean> => {
      socket.write('GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
      await Promise.race([
        eventually(() => Promise.resolve(said().includes('200 OK')), { what: 'it is answered' }),
        closed,
      ]);
      return said().includes('200 OK');
    };
    const idle: Speaker[] = [];
    const letIn = async (address: string): Promise<number> => {
      let count = 0;
      for (let i = 0; i < 12; i++) {
        const one = await speaker(plane.url, address);
        idle.push(one);
        if (await answered(one)) count += 1;
      }
      return count;
    };
    // given connections that are kept alive: 16 at a time, 8 of one address
    expect(await letIn('127.0.0.2')).toBe(8);
    // `fetch` may still hold some of those before.
    expect([6, 7, 8]).toContain(await letIn('127.0.0.3'));
    expect(await letIn('127.0.0.4')).toBe(0);

    // when some are closed, others come in
    for (const { socket } of idle) socket.destroy();
    await eventually(async () => (await fetch(`${plane.url}/health/live`).catch(() => undefined))?.status === 200, {
      what: 'there is room again',
    });
    const metrics = await (await fetch(`${plane.url}/metrics`)).text();
    expect(metrics).toMatch(/eci_fleet_connections_dropped_total\{too_many="address"\} [1-9]/);
    expect(metrics).toMatch(/eci_fleet_connections_dropped_total\{too_many="all"\} [1-9]/);
  });
});
