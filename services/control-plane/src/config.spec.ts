import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { ConfigurationError, type Environment } from '#libs/configuration';
import { createCertificateAuthority, type KeyAndCertificate } from '#libs/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { readAuditConfig } from './audit/audit-config.ts';
import { helpText, readConfig, VARIABLES } from './config.ts';

const ADMIN_TOKEN = randomBytes(32).toString('base64');
const newKey = (): object => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const tokenKey = JSON.stringify(newKey());
const sound: Environment = {
  DATABASE_URL: 'postgres://u:canary-password@localhost/db',
  KAFKA_BROKERS: '127.0.0.1:9092, localhost:9093',
  FLEET_MASTER_KEY: randomBytes(32).toString('base64'),
  FLEET_TOKEN_KEY: tokenKey,
};

let tls: KeyAndCertificate;

beforeAll(async () => {
  tls = await (await createCertificateAuthority('spec')).issue({ commonName: 'fleet.example' });
});

function faultsOf(environment: Environment, files: Record<string, string> = {}): readonly string[] {
  try {
    readConfig(environment, {
      readFile: (path) => {
        const text = files[path];
        if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
        return text;
      },
    });
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

describe('configuration', () => {
  it('has defaults for all that is not required', () => {
    expect(readConfig(sound)).toMatchObject({
      kafka: {
        brokers: ['127.0.0.1:9092', 'localhost:9093'],
        brokersForAgents: ['127.0.0.1:9092', 'localhost:9093'],
        security: 'plaintext',
        tlsForAgents: false,
        intentPartitions: 12,
        produceBytesForAgents: 4_194_304,
      },
      fleet: 'eci-fleet',
      roles: ['api', 'intake', 'effects', 'observe', 'publish', 'project'],
      http: { host: '127.0.0.1', port: 8080 },
      accounts: { accounts: [], endpoints: [] },
      tokenIssuer: 'eci-fleet',
      migrate: true,
    });
  });

  it('reads when stops are held, what becomes of orphans, and prices', () => {
    expect(readConfig(sound)).toMatchObject({
      massDelete: { percent: 20, count: 50, windowMs: 300_000 },
      orphanPolicy: { kind: 'quarantine' },
    });
    const set = readConfig({
      ...sound,
      FLEET_MASS_DELETE_PERCENT: '5',
      FLEET_MASS_DELETE_COUNT: '10',
      FLEET_MASS_DELETE_WINDOW: '15m',
      FLEET_ORPHAN_POLICY: 'remove-after:12h',
      FLEET_PRICES: '[{"regions":"*","currency":"EUR","vCpuHour":1,"gibHour":0}]',
    });
    expect(set).toMatchObject({
      massDelete: { percent: 5, count: 10, windowMs: 900_000 },
      orphanPolicy: { kind: 'remove-after', afterMs: 43_200_000 },
      prices: [{ currency: 'EUR' }],
    });
    const faults = faultsOf({ ...sound, FLEET_MASS_DELETE_WINDOW: 'soon', FLEET_ORPHAN_POLICY: 'remove' });
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['FLEET_MASS_DELETE_WINDOW', 'FLEET_ORPHAN_POLICY']);
  });

  it('says every fault at once, each with its variable', () => {
    const faults = faultsOf({
      FLEET_ROLES: 'api,cook',
      HTTP_PORT: 'eighty',
      LOG_LEVEL: 'loud',
      FLEET_NAME: 'Fleet!',
      ECI_ACCESS_KEY: 'k',
    });
    for (const name of [
      'DATABASE_URL',
      'KAFKA_BROKERS',
      'FLEET_MASTER_KEY',
      'FLEET_TOKEN_KEY',
      'FLEET_ROLES',
      'HTTP_PORT',
      'LOG_LEVEL',
      'FLEET_NAME',
      'ECI_SECRET_KEY',
    ]) {
      expect(
        faults.filter((fault) => fault.startsWith(`${name}:`)),
        name,
      ).toHaveLength(1);
    }
  });

  it.each(VARIABLES.map(({ name, secret }) => [name, secret ?? false] as const))(
    'says of %s what was given, unless it is secret (%s)',
    (name, secret) => {
      for (const value of ['n0t/ it', '99999999', '-1']) {
        const faults = faultsOf({ ...sound, [name]: value }).filter((fault) => fault.startsWith(`${name}:`));
        for (const fault of faults) expect(fault.includes(value), fault).toBe(!secret && !name.endsWith('_FILE'));
      }
    },
  );

  it('never repeats a secret in a fault', () => {
    const faults = faultsOf({
      ...sound,
      FLEET_MASTER_KEY: 'canary-master',
      FLEET_TOKEN_KEY: JSON.stringify({ kty: 'RSA', d: 'canary-private' }),
      DATABASE_URL: 'mysql://u:canary-password@h/d',
      FLEET_ACCOUNTS: '[{"id":"a","credential":{"kind":"environment","accessKeyId":"canary-key"}}]',
    });
    expect(faults.length).toBeGreaterThanOrEqual(4);
    expect(faults.join('\n')).not.toContain('canary');
  });

  it('reads keys and accounts from files', () => {
    const { FLEET_MASTER_KEY, FLEET_TOKEN_KEY, ...rest } = sound;
    const files = {
      '/m': `${FLEET_MASTER_KEY}\n`,
      '/t': FLEET_TOKEN_KEY!,
      '/a': JSON.stringify([{ id: 'a1', credential: { kind: 'file', path: '/run/key' }, regions: ['cn-hangzhou'] }]),
    };
    const environment = { ...rest, FLEET_MASTER_KEY_FILE: '/m', FLEET_TOKEN_KEY_FILE: '/t', FLEET_ACCOUNTS_FILE: '/a' };
    expect(faultsOf(environment, files)).toEqual([]);
    expect(faultsOf(environment, {})).toHaveLength(3);
    expect(faultsOf({ ...environment, FLEET_MASTER_KEY }, files)[0]).toContain(
      'FLEET_MASTER_KEY: is set beside FLEET_MASTER_KEY_FILE',
    );
  });

  it('takes an audit key that can sign, and says what is wrong with another without repeating it', () => {
    const key = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    expect(readConfig({ ...sound, FLEET_AUDIT_KEY: JSON.stringify(key) }).auditKey).toMatchObject(key);
    expect(readConfig(sound).auditKey).toBeUndefined();
    const faults = [
      ...faultsOf({ ...sound, FLEET_AUDIT_KEY: 'canary' }),
      ...faultsOf({ ...sound, FLEET_AUDIT_KEY: tokenKey }),
      ...faultsOf({ ...sound, FLEET_AUDIT_KEY_FILE: '/not/there' }),
    ];
    expect(faults.map((fault) => fault.split(':')[0])).toEqual([
      'FLEET_AUDIT_KEY',
      'FLEET_AUDIT_KEY',
      'FLEET_AUDIT_KEY_FILE',
    ]);
    expect(faults.join()).not.toContain('canary');
  });

  it('of an audit needs no key of the control plane, also where Kafka asks for tokens', () => {
    const { DATABASE_URL, KAFKA_BROKERS } = sound;
    expect(readAuditConfig({ DATABASE_URL })).toMatchObject({ fleet: 'eci-fleet', kafka: { brokers: [] } });
    expect(() => readAuditConfig({})).toThrow('DATABASE_URL');
    const withTokens = { DATABASE_URL, KAFKA_BROKERS, KAFKA_SECURITY: 'oauthbearer' };
    expect(readAuditConfig(withTokens)).not.toHaveProperty('tokenKey');
    expect(readAuditConfig({ ...withTokens, FLEET_AUDITOR_TOKEN: 'a.b.c' })).toMatchObject({ auditorToken: 'a.b.c' });
    expect(readAuditConfig({ ...withTokens, FLEET_TOKEN_KEY: tokenKey }).tokenKey).toMatchObject({ kty: 'EC' });
  });

  it.each([
    ['0.0.0.0', false],
    ['10.1.2.3', false],
    ['::', false],
    ['fleet.example', false],
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['localhost', true],
  ])('listens on %s in clear: %s', (host, allowed) => {
    const faults = faultsOf({ ...sound, HTTP_HOST: host });
    expect(faults).toHaveLength(allowed ? 0 : 1);
    if (!allowed) expect(faults[0]).toContain('TLS_CERT_FILE, TLS_KEY_FILE and FLEET_ADMIN_TOKEN');
  });

  it('listens to the network with TLS and a token, and not with half of it', () => {
    const files = { '/c': tls.certificate, '/k': tls.key };
    const open = { ...sound, HTTP_HOST: '0.0.0.0' };
    expect(
      faultsOf({ ...open, TLS_CERT_FILE: '/c', TLS_KEY_FILE: '/k', FLEET_ADMIN_TOKEN: ADMIN_TOKEN }, files),
    ).toEqual([]);
    expect(faultsOf({ ...open, TLS_CERT_FILE: '/c', TLS_KEY_FILE: '/k' }, files)).toHaveLength(1);
    expect(faultsOf({ ...open, FLEET_ADMIN_TOKEN: ADMIN_TOKEN }, files)).toHaveLength(1);
    expect(faultsOf({ ...sound, TLS_CERT_FILE: '/c' }, files)).toEqual([
      expect.stringContaining('TLS_KEY_FILE: is missing'),
    ]);
  });

  const weak = (name: string, value: string): Environment => ({ ...sound, [name]: value });
  it.each<readonly [string, Environment]>([
    ['FLEET_MASTER_KEY', weak('FLEET_MASTER_KEY', Buffer.alloc(32).toString('base64'))],
    ['FLEET_MASTER_KEY', weak('FLEET_MASTER_KEY', Buffer.from('changeme-changeme-please-change-').toString('base64'))],
    ['FLEET_MASTER_KEY', weak('FLEET_MASTER_KEY', randomBytes(22).toString('hex').slice(0, 43))],
    ['FLEET_TOKEN_KEY', weak('FLEET_TOKEN_KEY', JSON.stringify({ ...newKey(), d: undefined }))],
    [
      'FLEET_TOKEN_KEY',
      weak('FLEET_TOKEN_KEY', JSON.stringify({ ...newKey(), d: Buffer.alloc(32, 1).toString('base64url') })),
    ],
    ['FLEET_AUDIT_KEY', weak('FLEET_AUDIT_KEY', tokenKey)],
  ])('refuses a weak %s with the command that makes a good one, and does not repeat it', (name, environment) => {
    const faults = faultsOf(environment);
    expect(faults).toEqual([expect.stringMatching(new RegExp(`^${name}: .*make one with \`(openssl|npm run)`))]);
    const value = environment[name]!;
    for (const part of value.match(/[A-Za-z0-9+/_-]{20,}/g) ?? [value]) expect(faults[0]).not.toContain(part);
  });

  it('refuses a key of TLS that is not that of its certificate', async () => {
    const other = await (await createCertificateAuthority('other')).issue({ commonName: 'other' });
    const files = { '/c': tls.certificate, '/k': other.key };
    expect(faultsOf({ ...sound, TLS_CERT_FILE: '/c', TLS_KEY_FILE: '/k' }, files)).toEqual([
      expect.stringMatching(/^TLS_KEY_FILE: is not the key of the certificate.*openssl/),
    ]);
  });

  it.each(['aaaaaaaaaaaaaaaa', 'canary-of-an-operator', 'canary of an operator with spaces'])(
    'refuses an admin token that can be guessed or not be sent, and does not repeat it: %s',
    (token) => {
      const faults = faultsOf({ ...sound, FLEET_ADMIN_TOKEN: token });
      expect(faults).toEqual([expect.stringMatching(/^FLEET_ADMIN_TOKEN: .*openssl rand -base64 32/)]);
      expect(faults[0]).not.toContain(token);
    },
  );

  it('treats an empty variable as one that is not set', () => {
    expect(readConfig({ ...sound, HTTP_PORT: '', FLEET_ADMIN_TOKEN: '' }).http).toEqual({
      host: '127.0.0.1',
      port: 8080,
      requestMs: 30_000,
      connections: 1_000,
    });
  });

  it('tells every variable in its help', () => {
    const help = helpText();
    for (const { name } of VARIABLES) expect(help).toContain(name);
  });
});
