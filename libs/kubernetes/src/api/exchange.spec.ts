import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { Agent, type Dispatcher } from 'undici';
import { exchange, readLines, type Request } from './exchange.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

async function serverThat(answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const server = createServer((request, response) => answer(response, request));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agent = new Agent();
  undo.push(async () => {
    await agent.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const request: Request = {
    method: 'GET',
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    path: '/x',
    headers: {},
  };
  return { agent, request };
}

describe('an exchange', () => {
  it('collects the answer, with the time that the server asks to wait', async () => {
    const { agent, request } = await serverThat((response, { method }) => {
      response.writeHead(429, { 'retry-after': '3' });
      response.write('grüß');
      response.end(` ${method}`);
    });

    expect(await exchange(agent, { ...request, method: 'PATCH', body: '{}' }, 5_000)).toEqual({
      status: 429,
      text: 'grüß PATCH',
      retryAfter: '3',
    });
  });

  it('gives up in time, also in the middle of an answer', async () => {
    const { agent, request } = await serverThat((response) => response.write('half'));

    await expect(exchange(agent, request, 50)).rejects.toThrow('no answer within 50 ms');
  });

  it('rejects when the answer is cut', async () => {
    const { agent, request } = await serverThat((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });

    await expect(exchange(agent, request, 5_000)).rejects.toThrow();
  });

  it('is given up by its signal, before and after it has begun', async () => {
    const { agent, request } = await serverThat(() => undefined);
    const during = new AbortController();
    setTimeout(() => during.abort(), 10);

    await expect(exchange(agent, { ...request, signal: AbortSignal.abort() }, 5_000)).rejects.toThrow('given up');
    await expect(exchange(agent, { ...request, signal: during.signal }, 5_000)).rejects.toThrow('given up');
  });
});

describe('lines', () => {
  /** A connection that hands out exactly these pieces. */
  const pieces = (chunks: readonly Buffer[]): Dispatcher =>
    ({
      dispatch(_: unknown, handler: Dispatcher.DispatchHandler) {
        const controller = { abort: () => undefined } as unknown as Dispatcher.DispatchController;
        handler.onRequestStart?.(controller, undefined);
        handler.onResponseStart?.(controller, 200, {});
        for (const chunk of chunks) handler.onResponseData?.(controller, chunk);
        queueMicrotask(() => handler.onResponseEnd?.(controller, {}));
        return true;
      },
    }) as unknown as Dispatcher;
  const request: Request = { method: 'GET', origin: 'http://x', path: '/', headers: {} };

  it('are whole, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''))),
        fc.array(fc.nat(50)),
        async (lines, cuts) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const chunks: Buffer[] = [];
          let from = 0;
          for (const cut of cuts) chunks.push(bytes.subarray(from, (from += cut)));
          chunks.push(bytes.subarray(from));
          const heard: string[] = [];

          await readLines(pieces(chunks), request, { silenceMs: 1_000, onLine: (line) => heard.push(line.toString()) });

          expect(heard).toEqual(lines);
        },
      ),
    );
  });

  it('end when nothing is heard any more, without an error', async () => {
    const { agent, request: to } = await serverThat((response) => response.write('one\ntwo'));
    const heard: string[] = [];

    await readLines(agent, to, { silenceMs: 500, onLine: (line) => heard.push(line.toString()) });

    expect(heard).toEqual(['one']);
  });

  it('of a refusal are its text', async () => {
    const { agent, request: to } = await serverThat((response) => {
      response.writeHead(410);
      response.end('{"reason":\n"Expired"}');
    });

    expect(await readLines(agent, to, { silenceMs: 1_000, onLine: () => undefined })).toMatchObject({
      status: 410,
      text: '{"reason":\n"Expired"}',
    });
  });
});
