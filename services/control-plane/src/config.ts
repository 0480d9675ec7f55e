/** Configuration of the control plane: read once from the environment, checked as a whole, every fault said at once. */
import { isLoopback } from '#libs/callers';
import { databaseUrlOf } from '#libs/event-store';
import { brokersLink } from '#libs/messaging';
import { DEFAULT_MASS_DELETE_LIMITS, DEFAULT_PRICES, type ListPrice, type MassDeleteLimits } from '#libs/domain';
import type { LogLevel } from '#libs/observability';
import { notGiven } from '#libs/runtime';
import { insecureTransports, type InsecureTransport, type RuledLink, type TlsFiles } from '#libs/transport';
import { z } from 'zod';
import { readAccountsConfig, type AccountsConfig } from './accounts/accounts-config.ts';
import type { AuditKey } from './audit/audit-key.ts';
import { VARIABLES } from './config-variables.ts';
import { FileValues, readText, type ReadFile } from './file-values.ts';
import { Duration, OrphanPolicySetting, PricesSetting, type OrphanPolicy } from './fleet-settings.ts';
import { adminTokenFault } from './http/admin-token.ts';
import { readAuditKey, readCa, readCertificate, readMasterKey, readTokenKey, type TokenKey } from './key-settings.ts';
import { DEFAULT_CLUSTER_BUDGET, type ClusterBudget } from './intake/cluster-budgets.ts';
import { DEFAULT_DISPLAY_RETENTION_MS } from './keys/display-keys.ts';
import type { DisplayKeysSetting } from './keys/hides-texts.ts';
import { DEFAULT_QUARANTINE_LIMITS, type QuarantineLimits } from './quarantine/quarantine-limits.ts';

export const ROLES = ['api', 'intake', 'effects', 'observe', 'publish', 'project'] as const;
export type Role = (typeof ROLES)[number];

/** How this process and brokers know each other; what agents can be told of it is less. */
export type BrokerSecurity = 'plaintext' | 'oauthbearer' | 'scram-sha-512' | 'scram-sha-256' | 'mtls';
export type AgentSecurity = 'plaintext' | 'oauthbearer';

export interface KafkaSettings {
  readonly brokers: readonly string[];
  /** Brokers as agents reach them; the same when nothing else is said. */
  readonly brokersForAgents: readonly string[];
  readonly security: BrokerSecurity;
  /** How agents show who they are. */
  readonly securityForAgents: AgentSecurity;
  /** Absent: none. */
  readonly tls?: TlsFiles;
  readonly tlsForAgents: boolean;
  /** With SCRAM. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Other machines may be called in clear, or without saying who calls. */
  readonly insecure: boolean;
  readonly intentPartitions: number;
  /** What Kafka lets one agent write at each broker, bytes a second; 0: no bound. */
  readonly produceBytesForAgents: number;
}

export interface ControlPlaneConfig {
  /** With the CA of the server in it, where one is given. */
  readonly databaseUrl: string;
  /** Largest number of connections for the work of one process; lists and agents' calls have a quarter as many each besides. */
  readonly databasePoolSize: number;
  /** Bring the database to the newest schema at start. */
  readonly migrate: boolean;
  readonly kafka: KafkaSettings;
  /** What leaves this machine without being encrypted and authenticated, as allowed. */
  readonly insecureTransports: readonly InsecureTransport[];
  /** Prefix of topics, principals and tags. */
  readonly fleet: string;
  readonly roles: readonly Role[];
  readonly http: {
    readonly host: string;
    /** 0 = any free port. */
    readonly port: number;
    readonly adminToken?: string;
    /** A request must have come whole within this. */
    readonly requestMs: number;
    /** Connections at a time. */
    readonly connections: number;
    /** PEM files, read anew when they change. */
    readonly tls?: { readonly certFile: string; readonly keyFile: string };
  };
  /** 256 bits. */
  readonly masterKey: Uint8Array;
  readonly tokenKey: TokenKey;
  /** Signs the seals of the audit trail; absent: they are chained, not signed. */
  readonly auditKey?: AuditKey;
  /** Digest of the seal that the audit key may follow though it has not signed it. */
  readonly auditAcceptFrom?: string;
  /** Where every seal is kept as a file; absent: in PostgreSQL and on the feed only. */
  readonly sealsFolder?: string;
  /** `iss` and `aud` of access tokens, as brokers expect them. */
  readonly tokenIssuer: string;
  readonly tokenAudience: string;
  readonly accounts: AccountsConfig;
  /** When stops of a cluster are held for an operator. */
  readonly massDelete: MassDeleteLimits;
  readonly orphanPolicy: OrphanPolicy;
  readonly quarantine: QuarantineLimits;
  readonly displayKeys: {
    readonly setting: DisplayKeysSetting;
    /** What is hidden can be shown for so long after its pod is gone, milliseconds. */
    readonly retentionMs: number;
  };
  /** What one cluster may send to one process of role intake. */
  readonly clusterBudget: ClusterBudget;
  readonly prices: readonly ListPrice[];
  readonly logLevel: LogLevel;
  /** One variable of the environment, for credentials that accounts refer to by name. */
  readonly variable: (name: string) => string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every fault of a configuration, each a sentence that says where and what to do. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `the configuration has ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    );
    this.faults = faults;
  }
}

const commaList = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item.length > 0),
);
const brokers = commaList.pipe(
  z
    .array(z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:,]+):\d{1,5}$/, 'write each broker as host:port'))
    .min(1, 'name at least one broker as host:port'),
);
const flag = z.enum(['true', 'false']);
const port = z.coerce.number().int().min(0).max(65_535);

const Schema = z.object({
  DATABASE_URL: z
    .string({ error: 'is missing: postgres://user:password@host:port/database' })
    .regex(/^postgres(ql)?:\/\/\S+$/, 'must be a URL that begins with postgres://'),
  DATABASE_CA_FILE: z.string().optional(),
  DATABASE_INSECURE: flag.default('false'),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(4).max(200).default(20),
  DATABASE_MIGRATE: flag.default('true'),
  KAFKA_BROKERS: brokers.optional(),
  KAFKA_BROKERS_FOR_AGENTS: brokers.optional(),
  KAFKA_SECURITY: z.enum(['plaintext', 'oauthbearer', 'scram-sha-512', 'scram-sha-256', 'mtls']).default('plaintext'),
  KAFKA_SECURITY_FOR_AGENTS: z.enum(['plaintext', 'oauthbearer']).optional(),
  KAFKA_TLS: flag.default('false'),
  KAFKA_TLS_FOR_AGENTS: flag.optional(),
  KAFKA_CA_FILE: z.string().optional(),
  KAFKA_CERT_FILE: z.string().optional(),
  KAFKA_KEY_FILE: z.string().optional(),
  KAFKA_USERNAME: z.string().optional(),
  KAFKA_PASSWORD: z.string().optional(),
  KAFKA_PASSWORD_FILE: z.string().optional(),
  KAFKA_INSECURE: flag.default('false'),
  KAFKA_INTENT_PARTITIONS: z.coerce.number().int().min(1).max(1000).default(12),
  KAFKA_PRODUCE_BYTES_FOR_AGENTS: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .refine((bytes) => bytes === 0 || bytes >= 65_536, 'use 65536 or more, or 0 for no quota')
    .optional(),
  FLEET_NAME: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'use 1–40 of a-z, 0-9 and -, not at its ends')
    .default('eci-fleet'),
  FLEET_ROLES: commaList
    .pipe(z.array(z.enum(ROLES, { error: `knows the roles ${ROLES.join(', ')}` })).min(1, 'name at least one role'))
    .default([...ROLES]),
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: port.default(8080),
  HTTP_REQUEST_SECONDS: z.coerce.number().int().min(1).max(300).default(30),
  HTTP_CONNECTIONS: z.coerce.number().int().min(16).max(60_000).default(1_000),
  FLEET_ADMIN_TOKEN: z
    .string()
    .superRefine((token, context) => {
      const fault = adminTokenFault(token);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    })
    .optional(),
  TLS_CERT_FILE: z.string().optional(),
  TLS_KEY_FILE: z.string().optional(),
  FLEET_MASTER_KEY: z.string().optional(),
  FLEET_MASTER_KEY_FILE: z.string().optional(),
  FLEET_TOKEN_KEY: z.string().optional(),
  FLEET_TOKEN_KEY_FILE: z.string().optional(),
  FLEET_AUDIT_KEY: z.string().optional(),
  FLEET_AUDIT_KEY_FILE: z.string().optional(),
  FLEET_SEALS_FOLDER: z.string().regex(/^\//, 'must be an absolute path').optional(),
  FLEET_AUDIT_ACCEPT_FROM: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be the digest of a seal, 64 hexadecimal digits, as the log and the API print it')
    .optional(),
  FLEET_TOKEN_ISSUER: z.string().optional(),
  FLEET_TOKEN_AUDIENCE: z.string().optional(),
  FLEET_ACCOUNTS: z.string().optional(),
  FLEET_ACCOUNTS_FILE: z.string().optional(),
  FLEET_CREDENTIALS: z.string().optional(),
  FLEET_CREDENTIALS_FILE: z.string().optional(),
  FLEET_CREDENTIALS_DIR: z.string().optional(),
  FLEET_ACCOUNT_ENDPOINTS: z.string().optional(),
  ECI_ENDPOINT: z.string().optional(),
  ECI_ENDPOINT_INSECURE: flag.default('false'),
  ECI_CA_FILE: z.string().optional(),
  FLEET_MASS_DELETE_PERCENT: z.coerce.number().min(0).max(100).default(DEFAULT_MASS_DELETE_LIMITS.percent),
  FLEET_MASS_DELETE_COUNT: z.coerce.number().int().min(0).default(DEFAULT_MASS_DELETE_LIMITS.count),
  FLEET_MASS_DELETE_WINDOW: Duration.default(DEFAULT_MASS_DELETE_LIMITS.windowMs),
  FLEET_ORPHAN_POLICY: OrphanPolicySetting.default({ kind: 'quarantine' }),
  FLEET_PRICES: PricesSetting.optional(),
  FLEET_CLUSTER_MESSAGES: z.coerce.number().min(1).max(1_000_000).default(DEFAULT_CLUSTER_BUDGET.messagesPerSecond),
  FLEET_CLUSTER_BYTES: z.coerce.number().int().min(65_536).default(DEFAULT_CLUSTER_BUDGET.bytesPerSecond),
  FLEET_DISPLAY_KEYS: z.enum(['auto', 'on', 'off']).default('auto'),
  FLEET_DISPLAY_RETENTION: Duration.default(DEFAULT_DISPLAY_RETENTION_MS),
  FLEET_QUARANTINE_RETENTION: Duration.default(DEFAULT_QUARANTINE_LIMITS.retentionMs),
  FLEET_QUARANTINE_ROWS: z.coerce.number().int().min(1).max(1_000_000).default(DEFAULT_QUARANTINE_LIMITS.rows),
  ECI_ACCESS_KEY: z.string().optional(),
  ECI_SECRET_KEY: z.string().optional(),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export interface ReadConfigOptions {
  /** False when messaging is given to the control plane, which then needs no brokers; default true. */
  readonly needsKafka?: boolean;
  readonly readFile?: ReadFile;
}

/** Reads the whole configuration; throws {@link ConfigurationError} with every fault. */
export function readConfig(
  environment: Environment,
  { needsKafka = true, readFile = readText }: ReadConfigOptions = {},
): ControlPlaneConfig {
  const faults: string[] = [];
  const raw = namedVariables(environment);
  const parsed = Schema.safeParse(raw);
  const flawed = new Set<string>();
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0]);
      flawed.add(name);
      faults.push(`${name}: ${issue.message}${notWanted(name, raw)}${hint(name)}`);
    }
  }
  // Faults of one variable must not hide those of others, so the rest is checked on what was sound.
  const sound = Schema.partial().parse(
    Object.fromEntries(Object.entries(raw).filter(([name]) => !flawed.has(name))),
  ) as Partial<z.infer<typeof Schema>>;
  const fromFile = new FileValues(raw, readFile, faults);

  const masterKey = readMasterKey(fromFile, faults);
  const tokenKey = readTokenKey(fromFile, faults);
  const auditKey = readAuditKey(fromFile, faults);
  const accounts = readAccountsConfig(fromFile, raw, environment, faults);
  if (needsKafka && sound.KAFKA_BROKERS === undefined && !flawed.has('KAFKA_BROKERS'))
    faults.push(`KAFKA_BROKERS: is missing${hint('KAFKA_BROKERS')}`);
  const database = databaseSettings(sound, fromFile, environment, faults);
  const kafka = [...flawed].some((name) => name in KAFKA_NAMES)
    ? undefined
    : kafkaSettings(sound as KafkaVariables, fromFile, environment, faults);
  const tls = readCertificate(fromFile, raw, ['TLS_CERT_FILE', 'TLS_KEY_FILE'], faults);
  const host = sound.HTTP_HOST ?? '127.0.0.1';
  if (!isLoopback(host) && (tls === undefined || sound.FLEET_ADMIN_TOKEN === undefined)) {
    faults.push(
      `HTTP_HOST: ${host} is not a loopback address, so the API would be open to the network: set TLS_CERT_FILE, TLS_KEY_FILE and FLEET_ADMIN_TOKEN, or listen on 127.0.0.1`,
    );
  }
  if (faults.length > 0 || !parsed.success || !kafka || masterKey === undefined || tokenKey === undefined)
    throw new ConfigurationError(faults);

  const v = parsed.data;
  return {
    databaseUrl: database.url,
    databasePoolSize: v.DATABASE_POOL_SIZE,
    migrate: v.DATABASE_MIGRATE === 'true',
    kafka: kafka.settings,
    insecureTransports: [...database.insecure, ...kafka.insecure, ...accounts.insecure],
    fleet: v.FLEET_NAME,
    roles: [...new Set(v.FLEET_ROLES)],
    http: {
      host: v.HTTP_HOST,
      port: v.HTTP_PORT,
      requestMs: v.HTTP_REQUEST_SECONDS * 1_000,
      connections: v.HTTP_CONNECTIONS,
      ...(v.FLEET_ADMIN_TOKEN === undefined ? {} : { adminToken: v.FLEET_ADMIN_TOKEN }),
      ...(tls === undefined ? {} : { tls }),
    },
    masterKey,
    tokenKey,
    ...(auditKey === undefined ? {} : { auditKey }),
    ...(v.FLEET_SEALS_FOLDER === undefined ? {} : { sealsFolder: v.FLEET_SEALS_FOLDER }),
    ...(v.FLEET_AUDIT_ACCEPT_FROM === undefined ? {} : { auditAcceptFrom: v.FLEET_AUDIT_ACCEPT_FROM }),
    ...tokenNames(v),
    accounts,
    massDelete: {
      percent: v.FLEET_MASS_DELETE_PERCENT,
      count: v.FLEET_MASS_DELETE_COUNT,
      windowMs: v.FLEET_MASS_DELETE_WINDOW,
    },
    orphanPolicy: v.FLEET_ORPHAN_POLICY,
    clusterBudget: { messagesPerSecond: v.FLEET_CLUSTER_MESSAGES, bytesPerSecond: v.FLEET_CLUSTER_BYTES },
    displayKeys: { setting: v.FLEET_DISPLAY_KEYS, retentionMs: v.FLEET_DISPLAY_RETENTION },
    quarantine: { retentionMs: v.FLEET_QUARANTINE_RETENTION, rows: v.FLEET_QUARANTINE_ROWS },
    prices: v.FLEET_PRICES ?? DEFAULT_PRICES,
    logLevel: v.LOG_LEVEL,
    variable: (name) => environment[name],
  };
}

/** Only the token key: enough to print its public half for brokers. */
export function readTokenKeyConfig(environment: Environment, readFile: ReadFile = readText): TokenKey {
  const faults: string[] = [];
  const key = readTokenKey(new FileValues(namedVariables(environment), readFile, faults), faults);
  if (key === undefined) throw new ConfigurationError(faults);
  return key;
}

/** What a command needs that checks the audit trail: no master key, no accounts. Brokers may be absent; tokens are needed with `oauthbearer` only. */
export interface AuditConfig extends Pick<
  ControlPlaneConfig,
  'databaseUrl' | 'kafka' | 'fleet' | 'auditKey' | 'tokenIssuer' | 'tokenAudience'
> {
  /** Of an operator who verifies from within the control plane. */
  readonly tokenKey?: TokenKey;
  /** Of an auditor: it reads the feed and nothing else. */
  readonly auditorToken?: string;
}

/** What a command needs that lets auditors read the feed. */
export type AuditorAccessConfig = Pick<
  ControlPlaneConfig,
  'kafka' | 'fleet' | 'tokenKey' | 'tokenIssuer' | 'tokenAudience'
>;

export function readAuditorAccessConfig(environment: Environment, readFile: ReadFile = readText): AuditorAccessConfig {
  const faults: string[] = [];
  const raw = namedVariables(environment);
  const v = readSome(Schema.pick({ ...KAFKA_NAMES, ...FLEET_NAMES }), raw, faults);
  if (v && v.KAFKA_BROKERS === undefined) faults.push(`KAFKA_BROKERS: is missing${hint('KAFKA_BROKERS')}`);
  const fromFile = new FileValues(raw, readFile, faults);
  const tokenKey = readTokenKey(fromFile, faults);
  const kafka = v && kafkaSettings(v, fromFile, environment, faults);
  if (faults.length > 0 || !v || !kafka || !tokenKey) throw new ConfigurationError(faults);
  return { kafka: kafka.settings, fleet: v.FLEET_NAME, tokenKey, ...tokenNames(v) };
}

export function readAuditConfig(environment: Environment, readFile: ReadFile = readText): AuditConfig {
  const faults: string[] = [];
  const raw = namedVariables(environment);
  const v = readSome(Schema.pick({ ...DATABASE_NAMES, ...KAFKA_NAMES, ...FLEET_NAMES }), raw, faults);
  const fromFile = new FileValues(raw, readFile, faults);
  const auditKey = readAuditKey(fromFile, faults);
  const auditorToken = fromFile.get('FLEET_AUDITOR_TOKEN') ?? undefined;
  const has = (name: string): boolean => raw[name] !== undefined || raw[`${name}_FILE`] !== undefined;
  const tokenKey =
    v?.KAFKA_SECURITY === 'oauthbearer' && has('FLEET_TOKEN_KEY') ? readTokenKey(fromFile, faults) : undefined;
  const database = v && databaseSettings(v, fromFile, environment, faults);
  const kafka = v && kafkaSettings(v, fromFile, environment, faults);
  if (faults.length > 0 || !v || !database || !kafka) throw new ConfigurationError(faults);
  return {
    databaseUrl: database.url,
    kafka: kafka.settings,
    fleet: v.FLEET_NAME,
    ...tokenNames(v),
    ...(auditKey === undefined ? {} : { auditKey }),
    ...(tokenKey === undefined ? {} : { tokenKey }),
    ...(auditorToken === undefined ? {} : { auditorToken }),
  };
}

const DATABASE_NAMES = { DATABASE_URL: true, DATABASE_CA_FILE: true, DATABASE_INSECURE: true } as const;
const KAFKA_NAMES = {
  KAFKA_BROKERS: true,
  KAFKA_BROKERS_FOR_AGENTS: true,
  KAFKA_SECURITY: true,
  KAFKA_SECURITY_FOR_AGENTS: true,
  KAFKA_TLS: true,
  KAFKA_TLS_FOR_AGENTS: true,
  KAFKA_CA_FILE: true,
  KAFKA_CERT_FILE: true,
  KAFKA_KEY_FILE: true,
  KAFKA_USERNAME: true,
  KAFKA_INSECURE: true,
  KAFKA_INTENT_PARTITIONS: true,
  KAFKA_PRODUCE_BYTES_FOR_AGENTS: true,
  FLEET_CLUSTER_BYTES: true,
} as const;
const FLEET_NAMES = { FLEET_NAME: true, FLEET_TOKEN_ISSUER: true, FLEET_TOKEN_AUDIENCE: true } as const;

/** The variables of a command that needs few. */
function readSome<T extends z.ZodType>(
  schema: T,
  raw: Readonly<Record<string, string>>,
  faults: string[],
): z.infer<T> | undefined {
  const parsed = schema.safeParse(raw);
  for (const issue of parsed.error?.issues ?? []) {
    const name = String(issue.path[0]);
    faults.push(`${name}: ${issue.message}${notWanted(name, raw)}${hint(name)}`);
  }
  return parsed.data;
}

function tokenNames(
  v: Pick<z.infer<typeof Schema>, 'FLEET_NAME' | 'FLEET_TOKEN_ISSUER' | 'FLEET_TOKEN_AUDIENCE'>,
): Pick<ControlPlaneConfig, 'tokenIssuer' | 'tokenAudience'> {
  return {
    tokenIssuer: v.FLEET_TOKEN_ISSUER ?? v.FLEET_NAME,
    tokenAudience: v.FLEET_TOKEN_AUDIENCE ?? v.FLEET_NAME,
  };
}

type DatabaseVariables = Partial<Pick<z.infer<typeof Schema>, keyof typeof DATABASE_NAMES>>;
type KafkaVariables = Pick<z.infer<typeof Schema>, keyof typeof KAFKA_NAMES>;

function databaseSettings(
  v: DatabaseVariables,
  fromFile: FileValues,
  environment: Environment,
  faults: string[],
): { readonly url: string; readonly insecure: readonly InsecureTransport[] } {
  const before = faults.length;
  readCa(fromFile, 'DATABASE_CA_FILE', faults);
  return v.DATABASE_URL === undefined || faults.length > before
    ? { url: '', insecure: [] }
    : databaseUrlOf(environment, faults);
}

function kafkaSettings(
  v: KafkaVariables,
  fromFile: FileValues,
  environment: Environment,
  faults: string[],
): { readonly settings: KafkaSettings; readonly insecure: readonly InsecureTransport[] } {
  const brokers = v.KAFKA_BROKERS ?? [];
  const brokersForAgents = v.KAFKA_BROKERS_FOR_AGENTS ?? brokers;
  const security = v.KAFKA_SECURITY;
  // The control plane's own name and certificate are not for agents, tokens are.
  const securityForAgents = v.KAFKA_SECURITY_FOR_AGENTS ?? (security === 'plaintext' ? 'plaintext' : 'oauthbearer');
  const tls = v.KAFKA_TLS === 'true';
  const tlsForAgents = (v.KAFKA_TLS_FOR_AGENTS ?? v.KAFKA_TLS) === 'true';
  const names = {
    ...(v.KAFKA_CERT_FILE && { KAFKA_CERT_FILE: v.KAFKA_CERT_FILE }),
    ...(v.KAFKA_KEY_FILE && { KAFKA_KEY_FILE: v.KAFKA_KEY_FILE }),
  };
  const certificate = readCertificate(fromFile, names, ['KAFKA_CERT_FILE', 'KAFKA_KEY_FILE'], faults);
  readCa(fromFile, 'KAFKA_CA_FILE', faults);
  const password = fromFile.get('KAFKA_PASSWORD');
  if (security === 'mtls' && (!tls || v.KAFKA_CERT_FILE === undefined))
    faults.push('KAFKA_SECURITY: mtls needs KAFKA_TLS=true, KAFKA_CERT_FILE and KAFKA_KEY_FILE');
  const scram = security === 'scram-sha-512' || security === 'scram-sha-256';
  if (scram && (v.KAFKA_USERNAME === undefined || password === undefined))
    faults.push(`KAFKA_SECURITY: ${security} needs KAFKA_USERNAME and KAFKA_PASSWORD (or KAFKA_PASSWORD_FILE)`);
  const links: RuledLink[] = [brokersLink('KAFKA_BROKERS', { brokers, security, tls })];
  // Where they are the same, agents are told of as strong a way, or the second fault would only repeat the first.
  if (
    v.KAFKA_BROKERS_FOR_AGENTS !== undefined ||
    tls !== tlsForAgents ||
    (security !== 'plaintext' && securityForAgents === 'plaintext')
  )
    links.push({
      ...brokersLink('KAFKA_BROKERS_FOR_AGENTS', {
        brokers: brokersForAgents,
        security: securityForAgents,
        tls: tlsForAgents,
      }),
      remedy: 'set KAFKA_TLS_FOR_AGENTS=true and KAFKA_SECURITY_FOR_AGENTS=oauthbearer',
    });
  return {
    settings: {
      brokers,
      brokersForAgents,
      security,
      securityForAgents,
      ...(tls ? { tls: { ...(v.KAFKA_CA_FILE && { caFile: v.KAFKA_CA_FILE }), ...certificate } } : {}),
      tlsForAgents,
      ...(scram && v.KAFKA_USERNAME && password ? { login: { username: v.KAFKA_USERNAME, password } } : {}),
      insecure: v.KAFKA_INSECURE === 'true',
      intentPartitions: v.KAFKA_INTENT_PARTITIONS,
      produceBytesForAgents: v.KAFKA_PRODUCE_BYTES_FOR_AGENTS ?? v.FLEET_CLUSTER_BYTES,
    },
    insecure: insecureTransports(links, environment, faults),
  };
}

function namedVariables(environment: Environment): Record<string, string> {
  // An empty variable is one that is not set: compose files and manifests write them so.
  return Object.fromEntries(
    VARIABLES.map(({ name }) => [name, environment[name]?.trim()] as const).filter(
      (e): e is [string, string] => e[1] !== undefined && e[1] !== '',
    ),
  );
}

/** What was given instead, unless it may be a secret. */
function notWanted(name: string, raw: Readonly<Record<string, string>>): string {
  const value = raw[name];
  const secret = VARIABLES.find((v) => v.name === name)?.secret ?? false;
  return value === undefined || secret ? '' : notGiven(value);
}

function hint(name: string): string {
  const variable = VARIABLES.find((v) => v.name === name);
  return variable ? ` (${variable.meaning})` : '';
}
