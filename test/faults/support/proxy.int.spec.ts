import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect } from 'node:net';
import { eventually, freePort } from '#libs/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FaultProxy } from './proxy.ts';

let echo: Server;
let proxy: FaultProxy;
const clients: Socket[] = [];

beforeEach(async () => {
  echo = await listening((socket) => socket.pipe(socket));
  proxy = await FaultProxy.start(await freePort(), portOf(echo));
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  echo.close();
});

it('passes everything on, both ways, to the end', async () => {
  const client = await open();
  const sent = Buffer.alloc(3 * 1024 * 1024, 'abc');
  client.socket.end(sent);
  await eventually(() => client.ended, { what: 'the other side has ended too' });
  expect(client.received().equals(sent)).toBe(true);
  await eventually(() => proxy.open === 0, { what: 'no connection is left' });
});

it('cuts what is open and takes new ones; refuses all until it heals', async () => {
  const first = await open();
  proxy.cut();
  await eventually(() => first.closed, { what: 'the connection is cut' });
  const second = await open();

  await proxy.refuse();
  await eventually(() => second.closed, { what: 'the connection is cut' });
  await expect(open()).rejects.toThrow(/ECONNREFUSED/);
  await proxy.heal();
  await open();
  expect(proxy.opened).toBe(3);
});

it('holds what is said in a black hole, one way or both, and lets it go when it heals', async () => {
  const client = await open();
  client.socket.write('a');
  await eventually(() => client.text() === 'a', { what: 'it passes' });

  proxy.blackHole('down');
  client.socket.write('b');
  const fresh = await open();
  fresh.socket.write('c');
  await expect(
    eventually(() => client.text() !== 'a' || fresh.text() !== '', { what: '', deadlineMs: 200 }),
  ).rejects.toThrow();
  await proxy.heal();
  await eventually(() => client.text() === 'ab' && fresh.text() === 'c', { what: 'what was held arrives' });
});

it('delays without changing the order, and throttles', async () => {
  const client = await open();
  proxy.delay(150);
  const began = performance.now();
  client.socket.write('1');
  client.socket.write('2');
  await eventually(() => client.text() === '12', { what: 'it arrives' });
  expect(performance.now() - began).toBeGreaterThan(290);

  await proxy.heal();
  proxy.throttle(100_000, 'up');
  const slow = performance.now();
  client.socket.write(Buffer.alloc(50_000));
  await eventually(() => client.received().length === 50_002, { what: 'all of it arrives' });
  expect(performance.now() - slow).toBeGreaterThan(400);
});

it('drops a connection in the middle of what it says, once', async () => {
  proxy.dropAfter(5, 'up');
  const client = await open();
  client.socket.write('123');
  await eventually(() => client.text() === '123', { what: 'the first bytes pass' });
  client.socket.write('45678');
  await eventually(() => client.closed, { what: 'the connection is cut' });

  const next = await open();
  next.socket.write('12345678');
  await eventually(() => next.text() === '12345678', { what: 'the next one passes' });
});

it('goes on to the next server when one does not listen', async () => {
  const other = await listening((socket) => socket.end('other'));
  proxy.retarget(await freePort(), portOf(other));
  for (let time = 0; time < 4; time++) {
    const client = await open();
    await eventually(() => client.text() === 'other', { what: 'the one that listens answers' });
  }
  other.close();
});

async function listening(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function open() {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  const chunks: Buffer[] = [];
  const client = {
    socket,
    ended: false,
    closed: false,
    received: () => Buffer.concat(chunks),
    text: () => Buffer.concat(chunks).toString(),
  };
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => (client.ended = true));
  socket.on('close', () => (client.closed = true));
  return client;
}
