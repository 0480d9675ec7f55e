import { connect, createServer, type Server, type Socket } from 'node:net';

/** `up`: from clients to the server. `down`: back. */
type Direction = 'up' | 'down' | 'both';

interface Way {
  /** Nothing passes; what was sent waits, as on a wire that is cut and mended before anybody gives up. */
  held: boolean;
  delayMs: number;
  bytesPerSecond: number;
  /** Bytes that may still pass, over all connections; then the connection that wanted more is cut. */
  left: number;
}

/** More than this is not read from a sender whose receiver is slow. */
const BUFFER_BYTES = 256 * 1024;

/**
 * A wire between processes that can be broken on purpose: loopback TCP, one port in front of one or more servers. With several, each new
 * connection goes to the next one that listens, as behind a Service of Kubernetes.
 *
 * Ours, because nothing on npm does it: the packages there are clients of a proxy written in Go that would have to be downloaded and run.
 */
export class FaultProxy {
  readonly port: number;
  #targets: readonly number[];
  #next = 0;
  #server: Server | undefined;
  readonly #clients = new Set<Socket>();
  readonly #pairs = new Set<Pair>();
  readonly #ways: Record<'up' | 'down', Way> = { up: open(), down: open() };
  #opened = 0;

  private constructor(port: number, targets: readonly number[]) {
    this.port = port;
    this.#targets = targets;
  }

  /** Listens on `port` and passes everything on to `targets`, ports of this machine that need not listen yet. */
  static async start(port: number, ...targets: readonly number[]): Promise<FaultProxy> {
    const proxy = new FaultProxy(port, targets);
    await proxy.#listen();
    return proxy;
  }

  /** Other servers for new connections. */
  retarget(...targets: readonly number[]): void {
    this.#targets = targets;
  }

  /** Connections that were ever opened through it. */
  get opened(): number {
    return this.#opened;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Ends every open connection at once (RST). New ones are taken: a server that restarted. */
  cut(): void {
    for (const client of this.#clients) client.resetAndDestroy();
    for (const pair of this.#pairs) pair.cut();
  }

  /** Ends every connection and refuses new ones (ECONNREFUSED), until `heal`: nothing listens there. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Connections are taken and stay open, and nothing passes, until `heal`: a network partition, a server that hangs. */
  blackHole(direction: Direction = 'both'): void {
    this.#change(direction, { held: true });
  }

  /** Everything arrives so much later, in order. */
  delay(ms: number, direction: Direction = 'both'): void {
    this.#change(direction, { delayMs: ms });
  }

  /** All connections together pass so many bytes a second. */
  throttle(bytesPerSecond: number, direction: Direction = 'both'): void {
    this.#change(direction, { bytesPerSecond });
  }

  /** Lets so many bytes more pass, then cuts the connection in the middle of what it says; once. */
  dropAfter(bytes: number, direction: 'up' | 'down'): void {
    this.#change(direction, { left: bytes });
  }

  /** All is well again; what was held goes on its way. */
  async heal(): Promise<void> {
    this.#change('both', open());
    if (this.#server === undefined) await this.#listen();
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  #change(direction: Direction, change: Partial<Way>): void {
    for (const way of ['up', 'down'] as const)
      if (direction === 'both' || direction === way) Object.assign(this.#ways[way], change);
    for (const pair of this.#pairs) pair.changed();
  }

  async #listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  #accept(client: Socket): void {
    this.#opened += 1;
    const ways = this.#ways;
    let tries = this.#targets.length;
    const attempt = (): void => {
      const port = this.#targets[this.#next++ % this.#targets.length];
      if (tries-- <= 0 || port === undefined) return void client.resetAndDestroy();
      const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
      server.once('error', attempt);
      server.once('connect', () => {
        server.removeListener('error', attempt);
        if (client.destroyed) return void server.destroy();
        const pair = new Pair(client, server, ways);
        this.#pairs.add(pair);
        void pair.ended.finally(() => this.#pairs.delete(pair));
      });
    };
    this.#clients.add(client);
    client.on('error', () => client.destroy());
    client.on('close', () => this.#clients.delete(client));
    attempt();
  }
}

/** One connection: two pumps that obey the wire's state. */
class Pair {
  readonly ended: Promise<unknown>;
  readonly #sockets: readonly [Socket, Socket];
  readonly #wakers = new Set<() => void>();

  constructor(client: Socket, server: Socket, ways: Readonly<Record<'up' | 'down', Way>>) {
    this.#sockets = [client, server];
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => this.cut());
      one.on('close', () => other.destroyed || other.readableEnded || other.resetAndDestroy());
    }
    this.ended = Promise.all([this.#pump(client, server, ways.up), this.#pump(server, client, ways.down)]);
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.changed();
  }

  /** The wire's state is another now: who waits looks again. */
  changed(): void {
    for (const wake of this.#wakers) wake();
  }

  async #pump(from: Socket, to: Socket, way: Way): Promise<void> {
    const queue: { readonly bytes: Buffer; readonly at: number }[] = [];
    let [queued, ended] = [0, false];
    from.on('data', (bytes: Buffer) => {
      queue.push({ bytes, at: performance.now() });
      if ((queued += bytes.length) > BUFFER_BYTES) from.pause();
      this.changed();
    });
    for (const event of ['end', 'close'])
      from.on(event, () => {
        ended = true;
        this.changed();
      });
    while (!to.destroyed) {
      const [next] = queue;
      if (next === undefined && ended) break;
      const wait = next === undefined || way.held ? Infinity : next.at + way.delayMs - performance.now();
      if (next === undefined || wait > 0) {
        await this.#wait(wait);
        continue;
      }
      queue.shift();
      queued -= next.bytes.length;
      if (queued <= BUFFER_BYTES) from.resume();
      if (next.bytes.length > way.left) {
        to.write(next.bytes.subarray(0, way.left));
        way.left = Infinity;
        return this.cut();
      }
      way.left -= next.bytes.length;
      const until = performance.now() + (next.bytes.length / way.bytesPerSecond) * 1_000;
      for (let left; !to.destroyed && (left = until - performance.now()) > 0;) await this.#wait(left);
      if (!to.write(next.bytes)) await new Promise((resolve) => to.once('drain', resolve).once('close', resolve));
    }
    if (!to.destroyed) to.end();
  }

  /** Until the wire changes, or the time is over. */
  async #wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = ms === Infinity ? undefined : setTimeout(() => done(), ms);
      const done = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(done);
        resolve();
      };
      this.#wakers.add(done);
    });
  }
}

/** A wire in order. */
function open(): Way {
  return { held: false, delayMs: 0, bytesPerSecond: Infinity, left: Infinity };
}
