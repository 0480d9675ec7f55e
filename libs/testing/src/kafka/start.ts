import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { logLevel, Partitioners } from 'kafkajs';
import { runTool } from '../preparing/tool.ts';
import { freePorts } from '../processes/free-port.ts';
import { startProcess, type TestProcess } from '../processes/process.ts';
import { temporaryFolder } from '../processes/temporary-folder.ts';
import { createCertificateAuthority } from '../kubernetes/certificates.ts';
import { javaProgram, prepareKafka } from './prepare.ts';
import { brokerProperties, type BrokerSettings } from './properties.ts';
import { rawKafka } from './raw-kafka.ts';
import { createTokenIssuer, type TokenIssuer } from './tokens.ts';

interface KafkaOptions {
  /** Of the plain listener. Default: a free one. */
  readonly port?: number;
  /** Kept between starts when given; else a temporary folder that `stop` removes. */
  readonly dataDir?: string;
  /**
   * A second listener that takes signed tokens, and an authorizer: by it a client may do what ACLs say, and nothing without one. The plain
   * listener stays, for the super user. `true`: a new key.
   */
  readonly oauth?: true | { readonly issuer?: TokenIssuer; readonly superUsers?: readonly string[] };
  /**
   * Two further listeners, with TLS and the authorizer: one for these users and their passwords (SCRAM), one for clients with a certificate of
   * the rig, whose principal is its subject, such as `CN=name`.
   */
  readonly secure?: { readonly users: Readonly<Record<string, string>>; readonly superUsers?: readonly string[] };
  /** Of the listener that takes tokens. Default: a free one. */
  readonly oauthPort?: number;
  /**
   * Ports of proxies in front of the listeners, which must lead there before the broker starts: a client that has asked who belongs to the
   * cluster goes on by these.
   */
  readonly advertise?: { readonly plain?: number; readonly oauth?: number };
}

export interface KafkaRig {
  /** `host:port` of the plain listener. */
  readonly brokers: readonly string[];
  /** Present when asked for by `oauth`. */
  readonly oauth:
    { readonly brokers: readonly string[]; readonly tokens: TokenIssuer; readonly jwksFile: string } | undefined;
  /** Present when asked for by `secure`. */
  readonly secure: SecureListeners | undefined;
  readonly dataDir: string;
  /** To break it: `kill9`, `pause`, `resume`, `stop`, `start`. Same ports and data at the next start. */
  readonly process: TestProcess;
  /** Ends it and removes what it made; its log stays when `keepLogs`. */
  stop(options?: { keepLogs?: boolean }): Promise<void>;
}

interface SecureListeners {
  readonly scram: readonly string[];
  readonly mtls: readonly string[];
  /** PEM: whom the broker's certificate is believed by. */
  readonly caFile: string;
  /** A certificate of a client, as files that last as long as the rig. */
  issue(commonName: string): Promise<{ readonly certFile: string; readonly keyFile: string }>;
}

/** A real Kafka broker of its own on loopback, in about six seconds; 400 MB of memory. Prepares the broker's jars when the cache lacks them. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaRig> {
  const jars = await prepareKafka();
  const folder = temporaryFolder('kafka');
  const logs = temporaryFolder('kafka-logs');
  try {
    const [freePlain, controllerPort, freeOauth] = (await freePorts(3)) as [number, number, number];
    const secure = options.secure === undefined ? undefined : await secureListeners(folder.path);
    const { port = freePlain, oauthPort = freeOauth } = options;
    const dataDir = options.dataDir ?? join(folder.path, 'data');
    await mkdir(dataDir, { recursive: true });
    const asked = options.oauth === true ? {} : options.oauth;
    const tokens = asked === undefined ? undefined : (asked.issuer ?? (await createTokenIssuer()));
    const jwksFile = join(folder.path, 'jwks.json');
    const jwksUrl = pathToFileURL(jwksFile).href;
    if (tokens !== undefined) await writeFile(jwksFile, JSON.stringify(tokens.jwks));
    const propertiesFile = join(folder.path, 'server.properties');
    const properties = brokerProperties({
      port,
      controllerPort,
      dataDir,
      ...(options.advertise === undefined ? {} : { advertise: options.advertise }),
      ...(tokens === undefined
        ? {}
        : { oauth: { port: oauthPort, jwksUrl, ...tokens, superUsers: asked?.superUsers ?? [] } }),
      ...(secure === undefined ? {} : { secure: { ...secure.settings, superUsers: options.secure?.superUsers ?? [] } }),
    });
    await writeFile(propertiesFile, properties);
    if (!existsSync(join(dataDir, 'meta.properties'))) await format(jars, propertiesFile, options.secure?.users);
    const broker = await startProcess({
      name: 'kafka',
      command: javaProgram(),
      args: [
        '-Xms384m',
        '-Xmx384m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-Xshare:auto',
        ...loggingFlags,
        ...(tokens === undefined ? [] : [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${jwksUrl}`]),
        '-cp',
        join(jars, '*'),
        'kafka.Kafka',
        propertiesFile,
      ],
      cwd: folder.path,
      logFolder: logs.path,
      ready: () => answers(`127.0.0.1:${port}`),
      readyDeadlineMs: 90_000,
    });
    return {
      brokers: [`127.0.0.1:${port}`],
      oauth: tokens === undefined ? undefined : { brokers: [`127.0.0.1:${oauthPort}`], tokens, jwksFile },
      secure: secure?.listeners,
      dataDir,
      process: broker,
      async stop({ keepLogs = false } = {}) {
        // A throwaway broker needs no orderly hand-over, which takes seconds.
        if (options.dataDir === undefined) await broker.kill9();
        else await broker.stop();
        await folder.remove();
        if (keepLogs) logs.keep();
        else await logs.remove();
      },
    };
  } catch (error) {
    logs.keep();
    await folder.remove();
    throw error;
  }
}

async function secureListeners(folder: string): Promise<{
  readonly settings: Pick<NonNullable<BrokerSettings['secure']>, 'scramPort' | 'mtlsPort' | 'keyStore' | 'trustStore'>;
  readonly listeners: SecureListeners;
}> {
  const [scramPort, mtlsPort] = (await freePorts(2)) as [number, number];
  const authority = await createCertificateAuthority('kafka');
  const own = await authority.issue({ commonName: 'broker', ips: ['127.0.0.1'] });
  const [keyStore, trustStore] = [join(folder, 'broker.pem'), join(folder, 'ca.pem')];
  await Promise.all([
    writeFile(keyStore, `${own.key.trim()}\n${own.certificate.trim()}\n`),
    writeFile(trustStore, authority.certificate),
  ]);
  return {
    settings: { scramPort, mtlsPort, keyStore, trustStore },
    listeners: {
      scram: [`127.0.0.1:${scramPort}`],
      mtls: [`127.0.0.1:${mtlsPort}`],
      caFile: trustStore,
      async issue(commonName) {
        const { certificate, key } = await authority.issue({ commonName });
        const [certFile, keyFile] = [join(folder, `${commonName}.crt`), join(folder, `${commonName}.key`)];
        await Promise.all([writeFile(certFile, certificate), writeFile(keyFile, key)]);
        return { certFile, keyFile };
      },
    },
  };
}

const loggingFlags = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=info',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
];

async function format(
  jars: string,
  propertiesFile: string,
  users: Readonly<Record<string, string>> = {},
): Promise<void> {
  await runTool({
    command: javaProgram(),
    args: [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      join(jars, '*'),
      'kafka.tools.StorageTool',
      'format',
      '--config',
      propertiesFile,
      // In one word: an id may begin with a dash.
      `--cluster-id=${randomBytes(16).toString('base64url')}`,
      ...Object.entries(users).flatMap(([name, password]) =>
        ['SCRAM-SHA-512', 'SCRAM-SHA-256'].flatMap((mechanism) => [
          '--add-scram',
          `${mechanism}=[name=${name},password=${password}]`,
        ]),
      ),
    ],
    remedy: 'install Java 17 or newer to run the Kafka broker, or set KAFKA_BROKERS to a broker of yours',
  });
}

/**
 * Whether the broker serves its clients: it tells who belongs to its cluster, its coordinator of groups has loaded (a fresh broker would
 * refuse the first member of the first group), and it numbers idempotent producers.
 */
async function answers(broker: string): Promise<boolean> {
  const kafka = rawKafka({
    brokers: [broker],
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
    // An idempotent producer insists on retries.
    retry: { retries: 1, initialRetryTime: 50 },
  });
  try {
    await admin.connect();
    if ((await admin.describeCluster()).brokers.length === 0) return false;
    await admin.describeGroups(['readiness']);
    await producer.connect();
    return true;
  } finally {
    await admin.disconnect();
    await producer.disconnect();
  }
}
