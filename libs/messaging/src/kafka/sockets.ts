import type { ISocketFactory } from 'kafkajs';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readTlsFiles, weaknessOf } from '#libs/transport';
import { brokersLink } from './brokers-link.ts';
import type { KafkaConnection } from './client.ts';

const KEEP_ALIVE_MS = 60_000;

/**
 * Makes every connection to a broker. Here and not where brokers are configured stands the last word on where one may lead: a broker of this machine
 * names the others of its cluster. TLS files are read for each connection, so that renewed ones count from the next on.
 */
export function socketsOf(connection: Pick<KafkaConnection, 'security' | 'tls' | 'insecure'>): ISocketFactory {
  const { security, tls, insecure = false } = connection;
  return ({ host, port, onConnect }) => {
    const link = brokersLink('KAFKA_BROKERS', {
      brokers: [`${host}:${port}`],
      security: security.kind,
      tls: tls !== undefined,
    });
    const weakness = insecure ? undefined : weaknessOf(link);
    if (weakness !== undefined)
      throw new Error(
        `${weakness.host} is another machine, and ${weakness.why}: ${link.remedy}, or ${link.exception}=true`,
      );
    const socket =
      tls === undefined
        ? connectTcp({ host, port }, onConnect)
        : connectTls(
            { host, port, ...(isIP(host) ? {} : { servername: host }), rejectUnauthorized: true, ...readTlsFiles(tls) },
            onConnect,
          );
    return socket.setKeepAlive(true, KEEP_ALIVE_MS);
  };
}
