/** Configuration of the control plane: read once from the environment, checked as a whole, every fault said at once. */
import { isLoopback } from '#libs/callers';
import { DEFAULT_MASS_DELETE_LIMITS, DEFAULT_PRICES, type ListPrice, type MassDeleteLimits } from '#libs/domain';
import type { LogLevel } from '#libs/observability';
import { notGiven } from '#libs/runtime';
import { z } from 'zod';
import { readAccountsConfig, type AccountsConfig } from './accounts/accounts-config.ts';
import type { AuditKey } from './audit/audit-key.ts';
import { VARIABLES } from './config-variables.ts';
import { FileValues, readText, type ReadFile } from './file-values.ts';
import { Duration, OrphanPolicySetting, PricesSetting, type OrphanPolicy } from './fleet-settings.ts';
import { adminTokenFault } from './http/admin-token.ts';
import { readAuditKey, readMasterKey, readTls, readTokenKey, type TokenKey } from './key-settings.ts';
import { DEFAULT_CLUSTER_BUDGET, type ClusterBudget } from './intake/cluster-budgets.ts';
import { DEFAULT_QUARANTINE_LIMITS, type QuarantineLimits } from './quarantine/quarantine-limits.ts';

export const ROLES = ['api', 'intake', 'effects', 'observe', 'publish', 'project'] as const;
export type Role = (typeof ROLES)[number];

export interface ControlPlaneConfig {
  readonly databaseUrl: string;
  /** Largest number of connections for the work of one process; lists and agents' calls have a quarter as many each besides. */
  readonly databasePoolSize: number;
  /** Bring the database to the newest schema at start. */
  readonly migrate: boolean;
  readonly kafka: {
    readonly brokers: readonly string[];
    /** Brokers as agents reach them; the same when nothing else is said. */
    readonly brokersForAgents: readonly string[];
    readonly security: 'plaintext' | 'oauthbearer';
    /** How agents show who they are; the same when nothing else is said. */
    readonly securityForAgents: 'plaintext' | 'oauthbearer';
    readonly tls: boolean;
    readonly intentPartitions: number;
    /** What Kafka lets one agent write at each broker, bytes a second; 0: no bound. */
    readonly produceBytesForAgents: number;
  };
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
    readonly tls?: { readonly cert: string; readonly key: string };
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
const port = z.coerce.number().int().min(0).max(65_535);

const Schema = z.object({
  DATABASE_URL: z
    .string({ error: 'is missing: postgres://user:password@host:port/database' })
    .regex(/^postgres(ql)?:\/\/\S+$/, 'must be a URL that begins with postgres://'),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(4).max(200).default(20),
  DATABASE_MIGRATE: z.enum(['true', 'false']).default('true'),
  KAFKA_BROKERS: brokers.optional(),
  KAFKA_BROKERS_FOR_AGENTS: brokers.optional(),
  KAFKA_SECURITY: z.enum(['plaintext', 'oauthbearer']).default('plaintext'),
  KAFKA_SECURITY_FOR_AGENTS: z.enum(['plaintext', 'oauthbearer']).optional(),
  KAFKA_TLS: z.enum(['true', 'false']).default('false'),
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
  ECI_ENDPOINT_INSECURE: z.enum(['true', 'false']).default('false'),
  FLEET_MASS_DELETE_PERCENT: z.coerce.number().min(0).max(100).default(DEFAULT_MASS_DELETE_LIMITS.percent),
  FLEET_MASS_DELETE_COUNT: z.coerce.number().int().min(0).default(DEFAULT_MASS_DELETE_LIMITS.count),
  FLEET_MASS_DELETE_WINDOW: Duration.default(DEFAULT_MASS_DELETE_LIMITS.windowMs),
  FLEET_ORPHAN_POLICY: OrphanPolicySetting.default({ kind: 'quarantine' }),
  FLEET_PRICES: PricesSetting.optional(),
  FLEET_CLUSTER_MESSAGES: z.coerce.number().min(1).max(1_000_000).default(DEFAULT_CLUSTER_BUDGET.messagesPerSecond),
  FLEET_CLUSTER_BYTES: z.coerce.number().int().min(65_536).default(DEFAULT_CLUSTER_BUDGET.bytesPerSecond),
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
  const accounts = readAccountsConfig(fromFile, raw, faults);
  if (needsKafka && sound.KAFKA_BROKERS === undefined && !flawed.has('KAFKA_BROKERS'))
    faults.push(`KAFKA_BROKERS: is missing${hint('KAFKA_BROKERS')}`);
  const tls = readTls(fromFile, raw, faults);
  const host = sound.HTTP_HOST ?? '127.0.0.1';
  if (!isLoopback(host) && (tls === undefined || sound.FLEET_ADMIN_TOKEN === undefined)) {
    faults.push(
      `HTTP_HOST: ${host} is not a loopback address, so the API would be open to the network: set TLS_CERT_FILE, TLS_KEY_FILE and FLEET_ADMIN_TOKEN, or listen on 127.0.0.1`,
    );
  }
  if (faults.length > 0 || !parsed.success || masterKey === undefined || tokenKey === undefined)
    throw new ConfigurationError(faults);

  const v = parsed.data;
  return {
    databaseUrl: v.DATABASE_URL,
    databasePoolSize: v.DATABASE_POOL_SIZE,
    migrate: v.DATABASE_MIGRATE === 'true',
    kafka: kafkaSettings(v),
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
  const tokenKey = readTokenKey(new FileValues(raw, readFile, faults), faults);
  if (faults.length > 0 || !v || !tokenKey) throw new ConfigurationError(faults);
  return { kafka: kafkaSettings(v), fleet: v.FLEET_NAME, tokenKey, ...tokenNames(v) };
}

export function readAuditConfig(environment: Environment, readFile: ReadFile = readText): AuditConfig {
  const faults: string[] = [];
  const raw = namedVariables(environment);
  const v = readSome(Schema.pick({ DATABASE_URL: true, ...KAFKA_NAMES, ...FLEET_NAMES }), raw, faults);
  const fromFile = new FileValues(raw, readFile, faults);
  const auditKey = readAuditKey(fromFile, faults);
  const auditorToken = fromFile.get('FLEET_AUDITOR_TOKEN') ?? undefined;
  const has = (name: string): boolean => raw[name] !== undefined || raw[`${name}_FILE`] !== undefined;
  const tokenKey =
    v?.KAFKA_SECURITY === 'oauthbearer' && has('FLEET_TOKEN_KEY') ? readTokenKey(fromFile, faults) : undefined;
  if (faults.length > 0 || !v) throw new ConfigurationError(faults);
  return {
    databaseUrl: v.DATABASE_URL,
    kafka: kafkaSettings(v),
    fleet: v.FLEET_NAME,
    ...tokenNames(v),
    ...(auditKey === undefined ? {} : { auditKey }),
    ...(tokenKey === undefined ? {} : { tokenKey }),
    ...(auditorToken === undefined ? {} : { auditorToken }),
  };
}

const KAFKA_NAMES = {
  KAFKA_BROKERS: true,
  KAFKA_BROKERS_FOR_AGENTS: true,
  KAFKA_SECURITY: true,
  KAFKA_SECURITY_FOR_AGENTS: true,
  KAFKA_TLS: true,
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

function kafkaSettings(v: Pick<z.infer<typeof Schema>, keyof typeof KAFKA_NAMES>): ControlPlaneConfig['kafka'] {
  const kafkaBrokers = v.KAFKA_BROKERS ?? [];
  return {
    brokers: kafkaBrokers,
    brokersForAgents: v.KAFKA_BROKERS_FOR_AGENTS ?? kafkaBrokers,
    security: v.KAFKA_SECURITY,
    securityForAgents: v.KAFKA_SECURITY_FOR_AGENTS ?? v.KAFKA_SECURITY,
    tls: v.KAFKA_TLS === 'true',
    intentPartitions: v.KAFKA_INTENT_PARTITIONS,
    produceBytesForAgents: v.KAFKA_PRODUCE_BYTES_FOR_AGENTS ?? v.FLEET_CLUSTER_BYTES,
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
