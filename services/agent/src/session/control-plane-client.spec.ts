import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { newTls } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { ControlPlaneClient, type ControlPlaneRefusal } from './control-plane-client.ts';

type Answers = (request: IncomingMessage, response: ServerResponse) => void;
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return (server.address() as AddressInfo).port;
}

const serve = async (answers: Answers): Promise<string> => `http://127.0.0.1:${await listening(createServer(answers))}`;

function clientOf(url: string, caFile?: string): ControlPlaneClient {
  const client = new ControlPlaneClient(url, caFile);
  undo.push(() => client.close());
  return client;
}

const JOIN = { token: 'canary-join-token', publicKey: {}, clusterFingerprint: 'f', nodeName: 'n' } as never;
const refusalOf = (asked: Promise<unknown>): Promise<ControlPlaneRefusal> =>
  asked.then(
    () => {
      throw new Error('it was answered');
    },
    (error: ControlPlaneRefusal) => error,
  );

describe('a control plane that sends its agents elsewhere', () => {
  it.each([301, 302, 303, 307, 308])('is not followed: the other one sees nothing of it (%i)', async (status) => {
    // given another server, to which the first one leads
    let seen = 0;
    const elsewhere = await serve((_request, response) => {
      seen++;
      response.end('{}');
    });
    let asked = 0;
    const url = await serve((request, response) => {
      asked++;
      response.writeHead(status, { location: `${elsewhere}${request.url}` }).end();
    });

    // when the agent asks, with a token in its hand
    const client = clientOf(url);
    const refusals = [await refusalOf(client.join(JOIN)), await refusalOf(client.session({ assertion: 'x' } as never))];

    // then it says what happened, and the other one was never asked
    expect(refusals.map((refusal) => refusal.status)).toEqual([status, status]);
    for (const { message } of refusals) {
      expect(message).toContain('a redirect, which is not followed');
      expect(message).not.toContain('canary');
    }
    expect({ asked, seen }).toEqual({ asked: 2, seen: 0 });
  });
});

describe('a control plane with a certificate', () => {
  const world = async () => {
    const tls = await newTls();
    const { certFile, keyFile } = tls.tls;
    const server = createTlsServer(
      { cert: await readFile(certFile), key: await readFile(keyFile) },
      (_request, response) =>
        response.writeHead(404, { 'content-type': 'application/json', connection: 'close' }).end('{"title":"here"}'),
    );
    return { tls, server, url: `https://127.0.0.1:${await listening(server)}` };
  };

  it('is believed with its CA, and with no other', async () => {
    const [{ url, tls }, other] = [await world(), await newTls()];
    expect((await refusalOf(clientOf(url, tls.caFile).join(JOIN))).message).toContain('404 here');
    for (const client of [clientOf(url), clientOf(url, other.caFile)]) {
      const { status, message } = await refusalOf(client.join(JOIN));
      expect(status).toBe(0);
      expect(message).toMatch(/UNABLE_TO_VERIFY|UNABLE_TO_GET|CERT_SIGNATURE|SELF_SIGNED/);
    }
  });

  it('is believed by the CA that is in the file at the next connection', async () => {
    // given a client whose file holds the CA
    const [{ url, tls }, other] = [await world(), await newTls()];
    const client = clientOf(url, tls.caFile);
    expect((await refusalOf(client.join(JOIN))).status).toBe(404);

    // when the CA changes, and back again, then the next connection goes by it
    await writeFile(tls.caFile, other.ca);
    expect((await refusalOf(client.join(JOIN))).status).toBe(0);
    await writeFile(tls.caFile, tls.ca);
    expect((await refusalOf(client.join(JOIN))).status).toBe(404);

    // and without the file it says so, and connects to nobody
    const gone = clientOf(url, '/nowhere/ca.crt');
    expect((await refusalOf(gone.join(JOIN))).message).toContain('no answer');
  });
});
