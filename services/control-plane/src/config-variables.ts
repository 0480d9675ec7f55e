/** Every variable of the control plane, as `--help` prints them. */
export interface Variable {
  readonly name: string;
  readonly meaning: string;
  /** As a person would write it; absent = none. */
  readonly default?: string;
  readonly unit?: string;
  /** Its value is or may hold a secret: no message repeats it. */
  readonly secret?: true;
}

export const VARIABLES: readonly Variable[] = [
  {
    name: 'DATABASE_URL',
    secret: true,
    meaning:
      'PostgreSQL, as postgres://user:password@host:port/database; on another machine with TLS (?sslmode=verify-full); required',
  },
  {
    name: 'DATABASE_CA_FILE',
    meaning:
      'PEM file with the CA of the PostgreSQL server; with it the connection is encrypted and the server verified',
    default: "the URL's sslrootcert, or the system's",
  },
  {
    name: 'DATABASE_INSECURE',
    meaning: 'PostgreSQL on another machine may be called without TLS, verification or password: true or false',
    default: 'false',
  },
  {
    name: 'DATABASE_POOL_SIZE',
    meaning:
      'most connections to PostgreSQL for the work of this process, 4–200; lists and agents’ calls have a quarter as many each besides',
    default: '20',
    unit: 'connections',
  },
  {
    name: 'DATABASE_MIGRATE',
    meaning: 'bring the database to the newest schema at start: true or false',
    default: 'true',
  },
  { name: 'KAFKA_BROKERS', meaning: 'brokers, as host:port,host:port; required' },
  { name: 'KAFKA_BROKERS_FOR_AGENTS', meaning: 'brokers as agents reach them', default: 'KAFKA_BROKERS' },
  {
    name: 'KAFKA_SECURITY',
    meaning: 'how Kafka learns who calls: plaintext (not at all), oauthbearer, scram-sha-512, scram-sha-256 or mtls',
    default: 'plaintext',
  },
  {
    name: 'KAFKA_SECURITY_FOR_AGENTS',
    meaning: 'how Kafka learns which agent calls: plaintext (not at all) or oauthbearer',
    default: 'plaintext with KAFKA_SECURITY=plaintext, else oauthbearer',
  },
  {
    name: 'KAFKA_TLS',
    meaning: 'speak TLS to Kafka, whose certificates are verified: true or false',
    default: 'false',
  },
  { name: 'KAFKA_TLS_FOR_AGENTS', meaning: 'agents speak TLS to Kafka: true or false', default: 'KAFKA_TLS' },
  { name: 'KAFKA_CA_FILE', meaning: 'PEM file with the CA of the brokers', default: "the system's" },
  {
    name: 'KAFKA_CERT_FILE',
    meaning: 'PEM file with the certificate that brokers are shown; needed with KAFKA_SECURITY=mtls',
    default: 'none',
  },
  { name: 'KAFKA_KEY_FILE', meaning: 'PEM file with the key of that certificate' },
  { name: 'KAFKA_USERNAME', meaning: 'user of Kafka, with SCRAM' },
  { name: 'KAFKA_PASSWORD', secret: true, meaning: 'password of that user' },
  { name: 'KAFKA_PASSWORD_FILE', meaning: 'file with that password' },
  {
    name: 'KAFKA_INSECURE',
    meaning: 'brokers on other machines may be called without TLS or without saying who calls: true or false',
    default: 'false',
  },
  {
    name: 'KAFKA_INTENT_PARTITIONS',
    meaning: 'partitions of a newly made intents topic, 1–1000',
    default: '12',
    unit: 'partitions',
  },
  {
    name: 'KAFKA_PRODUCE_BYTES_FOR_AGENTS',
    meaning:
      'what Kafka lets the agent of one cluster write at each broker, as a quota of its principal; 0 = no quota; needs oauthbearer for agents',
    default: 'FLEET_CLUSTER_BYTES',
    unit: 'bytes a second',
  },
  {
    name: 'FLEET_NAME',
    meaning: 'prefix of topics, principals and tags; never change it while groups run',
    default: 'eci-fleet',
  },
  {
    name: 'FLEET_ROLES',
    meaning: 'what this process does: api,intake,effects,observe,publish,project',
    default: 'all of them',
  },
  {
    name: 'HTTP_HOST',
    meaning: 'address to listen on; any but a loopback address wants TLS and FLEET_ADMIN_TOKEN',
    default: '127.0.0.1',
  },
  { name: 'HTTP_PORT', meaning: 'port to listen on; 0 = any free one', default: '8080', unit: 'port' },
  {
    name: 'HTTP_REQUEST_SECONDS',
    meaning: 'a request that has not come whole within this is not waited for, 1–300',
    default: '30',
    unit: 'seconds',
  },
  {
    name: 'HTTP_CONNECTIONS',
    meaning: 'connections to the API at a time, 16–60000; of one address half of them',
    default: '1000',
    unit: 'connections',
  },
  {
    name: 'FLEET_ADMIN_TOKEN',
    secret: true,
    meaning: 'bearer token of operators, as random as `openssl rand -base64 32`; one that can be guessed is refused',
    default: 'none: the API is open on loopback',
  },
  { name: 'TLS_CERT_FILE', meaning: 'certificate chain of the API, PEM', default: 'none: plain HTTP' },
  { name: 'TLS_KEY_FILE', meaning: 'private key of the certificate, PEM' },
  {
    name: 'FLEET_MASTER_KEY',
    secret: true,
    meaning: 'key that wraps all data keys: 32 bytes in base64; required (or FLEET_MASTER_KEY_FILE)',
  },
  { name: 'FLEET_MASTER_KEY_FILE', meaning: 'file with the master key' },
  {
    name: 'FLEET_TOKEN_KEY',
    secret: true,
    meaning: "key that signs agents' access tokens: a private EC P-256 JWK; required (or FLEET_TOKEN_KEY_FILE)",
  },
  { name: 'FLEET_TOKEN_KEY_FILE', meaning: 'file with the token key' },
  {
    name: 'FLEET_AUDIT_KEY',
    secret: true,
    meaning: 'key that signs the seals of the audit trail: a private Ed25519 JWK',
    default: 'none: seals are chained, not signed',
  },
  { name: 'FLEET_AUDIT_KEY_FILE', meaning: 'file with the audit key' },
  {
    name: 'FLEET_AUDIT_ACCEPT_FROM',
    meaning: 'digest of the one seal that the audit key may follow though another key or none has signed it',
    default: 'none: nothing is sealed on top of such a seal',
  },
  {
    name: 'FLEET_SEALS_FOLDER',
    meaning: 'folder that keeps every seal as a file, on write-once storage for example; it must exist',
    default: 'none: seals are in PostgreSQL and on the feed',
  },
  {
    name: 'FLEET_AUDITOR_TOKEN',
    secret: true,
    meaning:
      'token with which `audit verify --feed` reads the feed; `audit token` prints one. The control plane itself needs none',
    default: 'none',
  },
  { name: 'FLEET_AUDITOR_TOKEN_FILE', meaning: 'file with the auditor token' },
  { name: 'FLEET_TOKEN_ISSUER', meaning: '`iss` of access tokens, as brokers expect it', default: 'FLEET_NAME' },
  { name: 'FLEET_TOKEN_AUDIENCE', meaning: '`aud` of access tokens, as brokers expect it', default: 'FLEET_NAME' },
  {
    name: 'FLEET_ACCOUNTS',
    secret: true,
    meaning: 'cloud accounts: JSON list of {id, name?, credential, regions, endpoint?, quotas?}',
    default: 'one account "default" from ECI_ACCESS_KEY and ECI_SECRET_KEY',
  },
  { name: 'FLEET_ACCOUNTS_FILE', meaning: 'file with the accounts' },
  {
    name: 'FLEET_CREDENTIALS',
    secret: true,
    meaning: 'where the AccessKeys are that accounts may name: JSON object of {name: {kind, …}}',
    default: 'those that FLEET_ACCOUNTS says on the spot',
  },
  { name: 'FLEET_CREDENTIALS_FILE', meaning: 'file with the credentials' },
  {
    name: 'FLEET_CREDENTIALS_DIR',
    meaning: 'folder with more of them: <name>.json is the credential <name>, there as soon as the file is',
  },
  {
    name: 'FLEET_ACCOUNT_ENDPOINTS',
    meaning: "endpoints that accounts of the API may name beside the cloud's own, as https://host,https://host:port",
    default: "none: the cloud's own only",
  },
  {
    name: 'FLEET_MASS_DELETE_PERCENT',
    meaning: "stops that nobody was seen asking for are held when they exceed this part of a cluster's groups, 0–100",
    default: '20',
    unit: 'percent',
  },
  {
    name: 'FLEET_MASS_DELETE_COUNT',
    meaning: '… and exceed this number as well',
    default: '50',
    unit: 'stops',
  },
  {
    name: 'FLEET_MASS_DELETE_WINDOW',
    meaning: '… within this time: a number with s, m, h or d',
    default: '5m',
  },
  {
    name: 'FLEET_ORPHAN_POLICY',
    meaning:
      'what becomes of orphans: quarantine (an operator decides) or remove-after:<duration>, such as remove-after:12h',
    default: 'quarantine',
  },
  {
    name: 'FLEET_PRICES',
    meaning:
      'list prices for estimates: JSON list of {regions, currency, vCpuHour, gibHour}; the first that fits counts',
    default: 'published on-demand prices of mainland China in CNY, elsewhere in USD',
  },
  {
    name: 'FLEET_CLUSTER_MESSAGES',
    meaning:
      'messages a second that one cluster may send, as each process of role intake counts; a minute of it is saved up; what is over is asked for again',
    default: '300',
    unit: 'messages a second',
  },
  {
    name: 'FLEET_CLUSTER_BYTES',
    meaning: '… and bytes a second',
    default: '4194304',
    unit: 'bytes a second',
  },
  {
    name: 'FLEET_DISPLAY_KEYS',
    meaning:
      'hide commands, probes and words of containers under a key of each pod that is erased in time: on, off, or auto, which is on in a fleet that began with a release that can; on in an older one only when no process of 0.1.0 is left',
    default: 'auto',
  },
  {
    name: 'FLEET_DISPLAY_RETENTION',
    meaning: 'what is hidden of a pod can be shown for so long after the pod is gone: a number with s, m, h or d',
    default: '30d',
  },
  {
    name: 'FLEET_QUARANTINE_RETENTION',
    meaning: 'a message in quarantine that does not come again is forgotten after this: a number with s, m, h or d',
    default: '14d',
  },
  {
    name: 'FLEET_QUARANTINE_ROWS',
    meaning:
      'messages in quarantine of one cluster, and of all whose sender is not proven together; the oldest give way',
    default: '1000',
    unit: 'messages',
  },
  {
    name: 'ECI_ENDPOINT',
    meaning: 'endpoint of ECI for all accounts, for example http://127.0.0.1:18080',
    default: "each region's own",
  },
  {
    name: 'ECI_ENDPOINT_INSECURE',
    meaning: 'keys and Secrets may travel in clear to an endpoint on another machine: true or false',
    default: 'false',
  },
  { name: 'ECI_CA_FILE', meaning: 'PEM file with the CA of endpoints, all of them', default: "the system's" },
  { name: 'ECI_ACCESS_KEY', secret: true, meaning: 'AccessKey id of account "default", when FLEET_ACCOUNTS is absent' },
  { name: 'ECI_SECRET_KEY', secret: true, meaning: 'AccessKey secret of account "default"' },
  { name: 'LOG_LEVEL', meaning: 'debug, info, warn, error or silent', default: 'info' },
];

/** Text of `--help`. */
export function helpText(): string {
  const width = Math.max(...VARIABLES.map((v) => v.name.length));
  const lines = VARIABLES.map((v) => {
    const notes = [v.unit && `unit: ${v.unit}`, v.default && `default: ${v.default}`].filter(Boolean).join('; ');
    return `  ${v.name.padEnd(width)}  ${v.meaning}${notes ? ` [${notes}]` : ''}`;
  });
  return [
    'Control plane of ECI Fleet: turns pod intents into container groups and says how they are.',
    '',
    'Usage: control-plane [--help] [--print-jwks] [--make-keys <folder>]',
    '  --make-keys   makes the master key, the token key and the audit key in the folder, mode 0600, unless they are there; prints their variables',
    "  --print-jwks  prints the public half of FLEET_TOKEN_KEY as a JWKS, for brokers that check agents' tokens",
    '',
    'Configuration is read from the environment:',
    ...lines,
    '',
  ].join('\n');
}
