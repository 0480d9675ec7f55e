import { createHash } from 'node:crypto';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Fields that say which row of which kind it is: without them it would be another row. */
const TELLING = new Set(['ContainerGroupId', 'Status', 'State', 'Key', 'Value', 'NextToken']);

/**
 * Stands before the simulator, and puts odd texts in place of half of all texts that it says of the groups of some pods, also in the names of fields that
 * it adds. The same group says the same again.
 */
export class OddCloud {
  /** Texts that were replaced. */
  replaced = 0;
  private readonly server: Server;
  private readonly odd = new Set<string>();
  private readonly parts: OddCloudParts;

  constructor(parts: OddCloudParts) {
    this.parts = parts;
    this.server = createServer((asked, answer) => {
      void this.pass(asked).then(
        ({ status, headers, body }) => {
          answer.writeHead(status, { ...headers, 'content-length': body.byteLength });
          answer.end(body);
        },
        () => answer.destroy(),
      );
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async pass(asked: IncomingMessage): Promise<Answered> {
    const body = await bytesOf(asked);
    const { hostname, port } = new URL(this.parts.to);
    const { method, url, headers } = asked;
    const answered = await new Promise<Answered>((resolve, reject) => {
      request({ hostname, port, method, path: url, headers }, (response) => {
        bytesOf(response).then(
          (said) => resolve({ status: response.statusCode ?? 500, headers: headersOf(response), body: said }),
          reject,
        );
      })
        .on('error', reject)
        .end(body);
    });
    if (!/json/.test(String(answered.headers['content-type']))) return answered;
    const json = JSON.parse(answered.body.toString()) as { ContainerGroupId?: string };
    const words = decodeURIComponent(`${url ?? ''}${body.toString()}`.replaceAll('+', ' '));
    if (json.ContainerGroupId !== undefined && this.parts.isOdd(words)) this.odd.add(json.ContainerGroupId);
    return { ...answered, body: Buffer.from(JSON.stringify(this.spoilt(json, undefined, ''))) };
  }

  /** `group`: which odd group this is a part of, if of any. */
  private spoilt(part: unknown, group: string | undefined, path: string): unknown {
    if (typeof part === 'string') return group === undefined ? part : (this.textFor(`${group} ${path}`) ?? part);
    if (typeof part !== 'object' || part === null) return part;
    if (Array.isArray(part)) return part.map((item, index) => this.spoilt(item, group, `${path}/${index}`));
    const { ContainerGroupId: id } = part as { ContainerGroupId?: unknown };
    const within = typeof id === 'string' && this.odd.has(id) && path !== '' ? id : group;
    const spoilt = Object.entries(part).map(([key, value]) => [
      key,
      TELLING.has(key) ? value : this.spoilt(value, within, `${path}/${key}`),
    ]);
    return Object.fromEntries(within === undefined ? spoilt : [...spoilt, ['\0\ud800', '\0\ud800']]);
  }

  private textFor(place: string): string | undefined {
    const { texts } = this.parts;
    const drawn = createHash('sha256').update(place).digest().readUInt32LE(0);
    if (drawn % 2 === 0) return undefined;
    this.replaced += 1;
    return texts[(drawn >>> 1) % texts.length];
  }
}

interface OddCloudParts {
  /** Where the simulator is. */
  readonly to: string;
  readonly texts: readonly string[];
  /** Whether a create with these parameters makes an odd group. */
  readonly isOdd: (parameters: string) => boolean;
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => !/^(content-length|transfer-encoding|connection)$/.test(name),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}
