import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificateAuthority, temporaryFolder } from '#libs/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { Given } from '#libs/configuration';
import { databaseSettings } from '#libs/event-store';
import { loadAgentConfig, VARIABLES as OF_AGENT } from '../../services/agent/src/config.ts';
import { readAuditConfig, readAuditorAccessConfig } from '../../services/control-plane/src/audit/audit-config.ts';
import { readConfig, VARIABLES as OF_CONTROL_PLANE } from '../../services/control-plane/src/config.ts';
import type { InsecureTransport } from '#libs/transport';

type Environment = Readonly<Record<string, string>>;

/** One setting that names where this process calls, written for a host in each of the ways it can be written. */
interface Address {
  readonly setting: string;
  readonly exception: string;
  readonly read: (environment: Environment) => readonly InsecureTransport[];
  /** Encrypted, verified, and we say who we are. */
  readonly sound: (host: string) => Environment;
  /** By what is wrong with them. */
  readonly weak: Readonly<Record<string, (host: string) => Environment>>;
}

const folder = temporaryFolder('every-address').path;
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const controlPlane: Environment = {
  DATABASE_URL: 'postgres://u:p@localhost/db',
  KAFKA_BROKERS: '127.0.0.1:9092',
  FLEET_MASTER_KEY: randomBytes(32).toString('base64'),
  FLEET_TOKEN_KEY: JSON.stringify(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  ),
};
const agent: Environment = {
  CONTROL_PLANE_URL: 'http://127.0.0.1:8080',
  ECI_REGION: 'cn-hangzhou',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
};
const ofControlPlane = (environment: Environment) => readConfig({ ...controlPlane, ...environment }).insecureTransports;
const ofAgent = (environment: Environment) => loadAgentConfig({ ...agent, ...environment }).insecureTransports;

const url = (host: string, query = '') => ({ DATABASE_URL: `postgres://u:p@${host}/db${query}` });
const kubeconfig = (server: string, cluster: object = {}, user: object = { token: 't' }) => ({
  KUBECONFIG: file(
    `${randomBytes(6).toString('hex')}.json`,
    JSON.stringify({
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server, ...cluster } }],
      users: [{ name: 'u', user }],
      'current-context': 'c',
    }),
  ),
});
const account = (endpoint: string) => ({
  FLEET_ACCOUNTS: JSON.stringify([{ id: 'a', endpoint, credential: { kind: 'file', path: '/k' }, regions: [] }]),
});
const role = (endpoint: string) => ({
  FLEET_CREDENTIALS: JSON.stringify({
    base: { kind: 'file', path: '/k' },
    r: { kind: 'role', roleArn: 'acs:ram::1234567890:role/fleet', credential: 'base', endpoint },
  }),
});

const ADDRESSES: readonly Address[] = [
  {
    setting: 'DATABASE_URL',
    exception: 'DATABASE_INSECURE',
    read: ofControlPlane,
    sound: (host) => url(host, '?sslmode=verify-full'),
    weak: {
      'without TLS': (host) => url(host),
      'TLS turned off': (host) => url(host, '?sslmode=disable'),
      'TLS turned off, though a CA is given': (host) => ({
        ...url(host, '?sslmode=disable'),
        DATABASE_CA_FILE: caFile,
      }),
      'TLS turned off by a number': (host) => url(host, '?ssl=0'),
      'sslmode=no-verify': (host) => url(host, '?sslmode=no-verify'),
      'ssl=no-verify': (host) => url(host, '?ssl=no-verify'),
      'sslmode=prefer as libpq means it': (host) => url(host, '?uselibpqcompat=true&sslmode=prefer'),
      'sslmode=require as libpq means it': (host) => url(host, '?uselibpqcompat=true&sslmode=require'),
      'a CA, and any name': (host) => url(host, `?uselibpqcompat=true&sslmode=verify-ca&sslrootcert=${caFile}`),
      'the host as a parameter': (host) => ({ DATABASE_URL: `postgres://u:p@127.0.0.1/db?host=${bare(host)}` }),
      'no password': (host) => ({ DATABASE_URL: `postgres://u@${host}/db?sslmode=verify-full` }),
    },
  },
  {
    setting: 'KAFKA_BROKERS',
    exception: 'KAFKA_INSECURE',
    read: ofControlPlane,
    sound: (host) => ({ KAFKA_BROKERS: `${host}:9092`, KAFKA_SECURITY: 'oauthbearer', KAFKA_TLS: 'true' }),
    weak: {
      plaintext: (host) => ({ KAFKA_BROKERS: `${host}:9092` }),
      'one of several': (host) => ({ KAFKA_BROKERS: `127.0.0.1:9092,${host}:9092` }),
      'oauthbearer without TLS': (host) => ({ KAFKA_BROKERS: `${host}:9092`, KAFKA_SECURITY: 'oauthbearer' }),
      'scram without TLS': (host) => ({
        KAFKA_BROKERS: `${host}:9092`,
        KAFKA_SECURITY: 'scram-sha-512',
        KAFKA_USERNAME: 'u',
        KAFKA_PASSWORD: 'p',
      }),
      'TLS, and nobody is told who calls': (host) => ({ KAFKA_BROKERS: `${host}:9092`, KAFKA_TLS: 'true' }),
    },
  },
  {
    setting: 'KAFKA_BROKERS_FOR_AGENTS',
    exception: 'KAFKA_INSECURE',
    read: ofControlPlane,
    sound: (host) => ({
      KAFKA_BROKERS_FOR_AGENTS: `${host}:9092`,
      KAFKA_SECURITY_FOR_AGENTS: 'oauthbearer',
      KAFKA_TLS_FOR_AGENTS: 'true',
    }),
    weak: {
      plaintext: (host) => ({ KAFKA_BROKERS_FOR_AGENTS: `${host}:9092` }),
      'oauthbearer without TLS': (host) => ({
        KAFKA_BROKERS_FOR_AGENTS: `${host}:9092`,
        KAFKA_SECURITY_FOR_AGENTS: 'oauthbearer',
      }),
      'the same brokers, and agents without names': (host) => ({
        KAFKA_BROKERS: `${host}:9092`,
        KAFKA_SECURITY: 'oauthbearer',
        KAFKA_TLS: 'true',
        KAFKA_SECURITY_FOR_AGENTS: 'plaintext',
      }),
    },
  },
  ...(
    [
      ['ECI_ENDPOINT', (endpoint: string) => ({ ECI_ENDPOINT: endpoint })],
      ['FLEET_ACCOUNT_ENDPOINTS', (endpoint: string) => ({ FLEET_ACCOUNT_ENDPOINTS: `https://127.0.0.1,${endpoint}` })],
      ['FLEET_ACCOUNTS: account a', account],
      ['FLEET_CREDENTIALS: $.r.endpoint', role],
    ] as const
  ).map(([setting, write]) => ({
    setting,
    exception: 'ECI_ENDPOINT_INSECURE',
    read: ofControlPlane,
    sound: (host: string) => write(`https://${host}:8443`),
    weak: { http: (host: string) => write(`http://${host}:8080`) },
  })),
  {
    setting: 'CONTROL_PLANE_URL',
    exception: 'CONTROL_PLANE_INSECURE',
    read: ofAgent,
    sound: (host) => ({ CONTROL_PLANE_URL: `https://${host}` }),
    weak: { http: (host) => ({ CONTROL_PLANE_URL: `http://${host}:8080` }) },
  },
  {
    setting: 'KUBECONFIG',
    exception: 'KUBECONFIG_INSECURE',
    read: ofAgent,
    sound: (host) => kubeconfig(`https://${host}:6443`),
    weak: {
      http: (host) => kubeconfig(`http://${host}:8080`),
      'any certificate': (host) => kubeconfig(`https://${host}:6443`, { 'insecure-skip-tls-verify': true }),
      'as nobody': (host) => kubeconfig(`https://${host}:6443`, {}, {}),
    },
  },
];

const ELSEWHERE = ['remote.example', '10.1.2.3', '127.0.0.1.evil.example', 'localhost.evil.example', '0.0.0.0'];
const HERE = ['127.0.0.1', '127.9.9.9', 'localhost', '[::1]'];
const bare = (host: string): string => host.replace(/^\[|\]$/g, '');

/** Variables that hold addresses which are listened on, announced to others, or calls of others. */
const NOT_CALLED = [
  'WEBHOOK_URL',
  'KUBERNETES_SERVICE_HOST',
  'NODE_ADDRESS',
  'HTTP_HOST',
  'WEBHOOK_HOST',
  'HEALTH_HOST',
];

let caFile: string;
beforeAll(async () => {
  caFile = file('ca.crt', (await createCertificateAuthority('spec')).certificate);
});

function faultsOf({ read }: Pick<Address, 'read'>, environment: Environment): readonly string[] {
  try {
    read(environment);
    return [];
  } catch (error) {
    return (error as { faults: readonly string[] }).faults;
  }
}

it('is asked of every variable that names an address', () => {
  const named = [...OF_CONTROL_PLANE, ...OF_AGENT]
    .map(({ name }) => name)
    .filter((name) => /(_URL|_HOST|_ADDRESS|BROKERS.*|ENDPOINTS?|KUBECONFIG)$/.test(name));
  const asked = new Set([...ADDRESSES.map(({ setting }) => setting), ...NOT_CALLED]);
  expect(named.filter((name) => !asked.has(name))).toEqual([]);
});

it('has its exception among the variables of whoever reads it', () => {
  for (const { exception, read } of ADDRESSES) {
    const variables = read === ofAgent ? OF_AGENT : OF_CONTROL_PLANE;
    expect(variables.map(({ name }) => name)).toContain(exception);
  }
});

describe.each(ADDRESSES.map((address) => [address.setting, address] as const))('%s', (setting, address) => {
  const weak = Object.entries(address.weak);

  it.each(weak)('is refused elsewhere, with what to do: %s', (_what, write) => {
    for (const host of ELSEWHERE) {
      const faults = faultsOf(address, write(host)).filter((fault) => fault.startsWith(`${setting}: `));
      expect(faults, host).toHaveLength(1);
      expect(faults[0]).toContain(`${host} is another machine`);
      expect(faults[0]).toContain(`${address.exception}=true`);
    }
  });

  it.each(weak)('is taken on this machine: %s', (_what, write) => {
    for (const host of HERE) expect(faultsOf(address, write(host)), host).toEqual([]);
    for (const host of HERE) expect(address.read(write(host)), host).toEqual([]);
  });

  it.each(weak)('is taken elsewhere where somebody wrote down that it may be, and is told: %s', (_what, write) => {
    const told = address.read({ ...write('remote.example'), [address.exception]: 'true' });
    expect(told.map((each) => [each.setting, each.host, each.allowedBy])).toContainEqual([
      setting,
      'remote.example',
      address.exception,
    ]);
    for (const other of ['false', 'yes', 'TRUE', ''])
      expect(
        faultsOf(address, { ...write('remote.example'), [address.exception]: other }).length,
        other,
      ).toBeGreaterThan(0);
  });

  it('is taken elsewhere when it is sound, and nothing is told', () => {
    for (const host of ['remote.example', '10.1.2.3', '[2001:db8::1]'])
      expect(address.read(address.sound(host)), host).toEqual([]);
  });

  it('is refused elsewhere when Node is told to believe every certificate', () => {
    const faults = faultsOf(address, { ...address.sound('remote.example'), NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    expect(faults).toEqual([
      expect.stringMatching(new RegExp(`^${setting.replaceAll('$', '\\$')}: .*NODE_TLS_REJECT`)),
    ]);
  });
});

describe('the same rule', () => {
  const weak = { DATABASE_URL: 'postgres://u:p@db.example/d', KAFKA_BROKERS: 'k.example:9092' };

  it('holds for commands that read a part of the configuration', () => {
    expect(faultsOf({ read: (env) => [readAuditConfig(env)].flatMap(() => []) }, weak)).toEqual([
      expect.stringMatching(/^DATABASE_URL: db\.example/),
      expect.stringMatching(/^KAFKA_BROKERS: k\.example/),
    ]);
    const given = new Given(weak);
    databaseSettings(given);
    expect(given.faults).toEqual([expect.stringMatching(/^DATABASE_URL: db\.example/)]);
    const { FLEET_TOKEN_KEY } = controlPlane;
    expect(
      faultsOf(
        { read: (env) => [readAuditorAccessConfig(env)].flatMap(() => []) },
        { ...weak, FLEET_TOKEN_KEY: FLEET_TOKEN_KEY! },
      ),
    ).toEqual([expect.stringMatching(/^KAFKA_BROKERS: k\.example/)]);
  });

  it('takes a Unix socket and IPv4 inside IPv6 for this machine', () => {
    for (const text of ['postgres:///db?host=/run/postgresql', 'postgres://u@%2Frun%2Fpostgresql/db'])
      expect(ofControlPlane({ DATABASE_URL: text })).toEqual([]);
    expect(ofControlPlane({ DATABASE_URL: 'postgres://u@[::ffff:127.0.0.1]/db' })).toEqual([]);
    expect(ofAgent({ CONTROL_PLANE_URL: 'http://[::ffff:127.0.0.1]:8080' })).toEqual([]);
    expect(faultsOf({ read: ofAgent }, { CONTROL_PLANE_URL: 'http://[::ffff:10.0.0.1]:8080' })).toHaveLength(1);
  });

  it('says every weak address at once, and repeats no password', () => {
    const faults = faultsOf(
      { read: ofControlPlane },
      {
        DATABASE_URL: 'postgres://u:canary@db.example/d',
        KAFKA_BROKERS: 'k.example:9',
        ECI_ENDPOINT: 'http://e.example',
      },
    );
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['DATABASE_URL', 'KAFKA_BROKERS', 'ECI_ENDPOINT']);
    expect(faults.join()).not.toContain('canary');
  });

  it('is satisfied by a CA alone', () => {
    const config = readConfig({ ...controlPlane, ...url('db.example'), DATABASE_CA_FILE: caFile });
    expect(config.insecureTransports).toEqual([]);
    expect(config.databaseUrl).toContain('sslrootcert=');
  });
});
