import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { createCertificateAuthority, eventually, newTls } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { KafkaConnection } from './client.ts';
import { socketsOf } from './sockets.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const ssl = {};
/** Opens a socket; resolves when it is connected (and its handshake done), rejects when it cannot be. */
async function opened(connection: Parameters<typeof socketsOf>[0], host: string, port: number): Promise<Socket> {
  let socket: Socket | undefined;
  await new Promise<void>((resolve, reject) => {
    socket = socketsOf(connection)({ host, port, ssl, onConnect: resolve });
    socket.once('error', reject);
    undo.push(() => socket!.destroy());
  });
  return socket!;
}

const token = () => Promise.resolve('t');
const WEAK: readonly [string, Pick<KafkaConnection, 'security' | 'tls'>][] = [
  ['in clear', { security: { kind: 'plaintext' } }],
  ['with a token, in clear', { security: { kind: 'oauthbearer', token } }],
  ['with a password, in clear', { security: { kind: 'scram-sha-512', username: 'u', password: 'p' } }],
  ['with TLS, and nobody is told who calls', { security: { kind: 'plaintext' }, tls: {} }],
];

describe('a broker that names the others of its cluster', () => {
  it.each(WEAK)('leads to no other machine: %s', async (_what, connection) => {
    // given a broker here, which may be spoken to in any way
    const port = await listening(createTcpServer());
    const { security } = connection;
    await opened({ security }, '127.0.0.1', port);
    await opened({ security }, 'localhost', port);

    // when it names one of another machine, then nothing is sent there
    const sockets = socketsOf(connection);
    for (const host of ['broker.example', '192.0.2.1', '2001:db8::1'])
      expect(() => sockets({ host, port: 9092, ssl, onConnect: () => {} }), host).toThrow(
        new RegExp(`^${host} is another machine.*KAFKA_INSECURE=true`),
      );
  });

  it('leads to another machine where that was allowed, or is sound', () => {
    const sound = { security: { kind: 'oauthbearer', token }, tls: {} } as const;
    for (const connection of [sound, ...WEAK.map(([, weak]) => ({ ...weak, insecure: true }))]) {
      // A documentation address: nobody answers.
      const socket = socketsOf(connection)({ host: '192.0.2.1', port: 9, ssl, onConnect: () => {} });
      socket.on('error', () => {});
      socket.destroy();
    }
  });
});

describe('a broker with TLS', () => {
  const world = async (options: { readonly requestCert?: true; readonly ca?: string } = {}) => {
    const tls = await newTls();
    const server = createTlsServer({
      cert: await readFile(tls.tls.certFile),
      key: await readFile(tls.tls.keyFile),
      ...(options.requestCert && { requestCert: true, ca: options.ca, rejectUnauthorized: false }),
    });
    // What it was shown, connection by connection.
    const shown: string[] = [];
    server.on('secureConnection', (socket) => {
      shown.push(socket.authorized ? String(socket.getPeerCertificate().subject.CN) : 'nobody');
      socket.on('error', () => {});
    });
    server.on('tlsClientError', () => {});
    return { tls, shown, port: await listening(server) };
  };
  const security = { kind: 'mtls' } as const;

  it('is believed by the CA that is in the file when it is connected to', async () => {
    const [{ tls, port }, other] = [await world(), await newTls()];
    const connection = { security, tls: { caFile: tls.caFile } };
    await opened(connection, '127.0.0.1', port);
    await writeFile(tls.caFile, other.ca);
    await expect(opened(connection, '127.0.0.1', port)).rejects.toThrow();
    await writeFile(tls.caFile, tls.ca);
    await opened(connection, '127.0.0.1', port);
    await expect(opened({ security, tls: {} }, '127.0.0.1', port)).rejects.toThrow();
    await expect(opened({ security, tls: { caFile: '/nowhere' } }, '127.0.0.1', port)).rejects.toThrow(
      'file of the CA',
    );
  });

  it('is believed under its own name only', async () => {
    const { tls, port } = await world();
    await expect(opened({ security, tls: { caFile: tls.caFile } }, 'localhost', port)).rejects.toThrow(/altnames/);
  });

  it('is shown the certificate that is in the file when it is connected to', async () => {
    // given a broker that wants to know who calls, and a client with a certificate
    const clients = await createCertificateAuthority('clients');
    const { tls, shown, port } = await world({ requestCert: true, ca: clients.certificate });
    const mine = await newTls();
    const { certFile, keyFile } = mine.tls;
    const become = async (commonName: string): Promise<void> => {
      const { certificate, key } = await clients.issue({ commonName });
      await Promise.all([writeFile(certFile, certificate), writeFile(keyFile, key)]);
    };
    const connection = { security, tls: { caFile: tls.caFile, certFile, keyFile } };

    // when the certificate is another one, then the next connection shows that
    for (const name of ['first', 'second']) {
      await become(name);
      const socket = (await opened(connection, '127.0.0.1', port)) as TLSSocket;
      expect(socket.authorized).toBe(true);
    }
    await eventually(() => shown.length === 2, { what: 'the broker has seen both' });
    expect(shown).toEqual(['first', 'second']);
  });
});
