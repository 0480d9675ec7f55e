import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What the server answers in place of a statement's result. `closes`: as FATAL, and the connection ends. */
export interface LastWords {
  readonly code: string;
  readonly closes: boolean;
}

const CANCEL_OR_SSL = new Set([80877102, 80877103, 80877104]);

/**
 * A wire in front of PostgreSQL that understands as much of its protocol as it takes to answer a statement itself: with an error of any SQLSTATE,
 * which the real server never hears of. It also notes which connections are used after their server said its last words.
 */
export class SqlProxy {
  readonly url: string;
  /** Statements that were answered with an error, each as its text. */
  readonly refused = new Set<string>();
  /** Statements that came after last words, on the connection that had heard them; a `rollback` is no use of it. */
  readonly usedAfterLastWords: string[] = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private words: LastWords | undefined;

  private constructor(server: Server, url: string) {
    this.server = server;
    this.url = url;
  }

  /** Listens on a free port of loopback, in front of the server of this URL. */
  static async start(databaseUrl: string): Promise<SqlProxy> {
    const target = new URL(databaseUrl);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const proxy = new SqlProxy(server, url.href);
    server.on('connection', (client) => proxy.join(client, Number(target.port), target.hostname));
    return proxy;
  }

  /** From now on each statement is answered so, once: the second time it goes through. */
  refuseEachOnce(words: LastWords): void {
    this.refused.clear();
    this.words = words;
  }

  heal(): void {
    this.words = undefined;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private join(client: Socket, port: number, host: string): void {
    const server = connect(port, host);
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    const prepared = new Map<string, string>();
    let inTransaction = false;
    let heard = false;
    let greeted = false;
    let statement = '';
    let held: Buffer[] = [];

    const answer = ({ code, closes }: LastWords): void => {
      const fields = [
        `S${closes ? 'FATAL' : 'ERROR'}`,
        `V${closes ? 'FATAL' : 'ERROR'}`,
        `C${code}`,
        'Mplayed by the wire',
      ];
      const body = Buffer.from(`${fields.join('\0')}\0\0`);
      client.write(framed('E', body));
      if (closes) client.end();
      else client.write(framed('Z', Buffer.from(inTransaction ? 'E' : 'I')));
    };
    const settle = (): void => {
      const group = Buffer.concat(held);
      const text = statement.replace(/\s+/g, ' ').trim();
      held = [];
      statement = '';
      const ends = /^(rollback|discard)/i.test(text);
      if (heard && text !== '' && !ends) this.usedAfterLastWords.push(text);
      if (this.words && text !== '' && !ends && !this.refused.has(text)) {
        this.refused.add(text);
        heard = true;
        return answer(this.words);
      }
      server.write(group);
    };
    const up = new Messages((type, message) => {
      held.push(message);
      const body = message.subarray(5);
      if (type === 'Q') statement = body.toString('utf8', 0, body.length - 1);
      else if (type === 'P') {
        const [name = '', text = ''] = body.toString('utf8').split('\0');
        prepared.set(name, text);
        statement = text;
      } else if (type === 'B') statement = prepared.get(body.toString('utf8').split('\0')[1] ?? '') ?? statement;
      // What belongs together is passed on or answered as a whole; everything else at once.
      if (!'PBDECF'.includes(type)) settle();
    });
    const down = new Messages((type, message) => {
      if (type === 'Z') inTransaction = message[5] !== 'I'.charCodeAt(0);
    });
    client.on('data', (chunk) => {
      if (greeted) return up.push(chunk);
      server.write(chunk);
      // The first message has no type.
      greeted = !CANCEL_OR_SSL.has(chunk.readInt32BE(4));
    });
    server.on('data', (chunk) => {
      client.write(chunk);
      down.push(chunk);
    });
  }
}

/** Cuts a stream into messages: a letter, a length that counts itself, and the rest. */
class Messages {
  private readonly each: (type: string, message: Buffer) => void;
  private rest: Buffer = Buffer.alloc(0);

  constructor(each: (type: string, message: Buffer) => void) {
    this.each = each;
  }

  push(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 5) {
      const length = 1 + this.rest.readInt32BE(1);
      if (this.rest.length < length) return;
      const message = this.rest.subarray(0, length);
      this.rest = this.rest.subarray(length);
      this.each(String.fromCharCode(message[0]!), message);
    }
  }
}

function framed(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
