import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../core/reply.ts';

const JSON_TYPE = 'application/json;charset=utf-8';
const SLOW_PIECES = 10;

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': JSON_TYPE, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** Gives the answer, or spoils it as the fault says. Silence leaves the connection open until the caller or the server ends it. */
export async function deliver(response: ServerResponse, { status, body, delivery }: Reply): Promise<void> {
  switch (delivery.kind) {
    case 'answer':
      return sendJson(response, status, body);
    case 'silence':
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'raw':
      response.writeHead(delivery.status, {
        'content-type': delivery.contentType,
        'content-length': Buffer.byteLength(delivery.text),
      });
      response.end(delivery.text);
      return;
    case 'cut': {
      const text = Buffer.from(JSON.stringify(body));
      const half = text.subarray(0, Math.floor(text.length / 2));
      response.writeHead(status, { 'content-type': JSON_TYPE, 'content-length': half.length });
      response.end(half);
      return;
    }
    case 'slow': {
      const text = Buffer.from(JSON.stringify(body));
      response.writeHead(status, { 'content-type': JSON_TYPE, 'content-length': text.length });
      const piece = Math.ceil(text.length / SLOW_PIECES);
      for (let from = 0; from < text.length && !response.destroyed; from += piece) {
        response.write(text.subarray(from, from + piece));
        await sleep(delivery.overMs / SLOW_PIECES);
      }
      response.end();
    }
  }
}
