import { flag, type Given, type Variables } from '#libs/configuration';
import { caFault, insecureTransports, type InsecureTransport, type RuledLink } from '#libs/transport';
import pg from 'pg';
import { z } from 'zod';

/** How PostgreSQL is reached, for every program that does. */
export const databaseVariables = {
  DATABASE_URL: {
    secret: true,
    meaning:
      'PostgreSQL, as postgres://user:password@host:port/database; on another machine with TLS (?sslmode=verify-full); required',
    required: 'is missing: postgres://user:password@host:port/database',
    schema: z.string().regex(/^postgres(ql)?:\/\/\S+$/, 'must be a URL that begins with postgres://'),
  },
  DATABASE_CA_FILE: {
    meaning:
      'PEM file with the CA of the PostgreSQL server; with it the connection is encrypted and the server verified',
    otherwise: "the URL's sslrootcert, or the system's",
    file: caFault,
  },
  DATABASE_INSECURE: {
    meaning: 'PostgreSQL on another machine may be called without TLS, verification or password: true or false',
    default: 'false',
    schema: flag,
  },
} as const satisfies Variables;

/** What `pg.Client` makes of a URL and of the variables `PG…`; `ssl` is not in its types. */
interface Understood {
  readonly host?: string;
  readonly password?: unknown;
  readonly ssl?: unknown;
}

/**
 * How the driver would connect by a URL: it is asked, not second-guessed, for sslmode, ssl, host and socket can be written in many ways and stand in
 * variables too. Throws the driver's error for a URL that it cannot use, also when a file of it cannot be read.
 */
function databaseLink(databaseUrl: string): RuledLink {
  const { host = '', password, ssl } = new pg.Client({ connectionString: databaseUrl }) as unknown as Understood;
  const options = typeof ssl === 'object' && ssl !== null ? (ssl as Readonly<Record<string, unknown>>) : undefined;
  const encrypted = ssl === true || options !== undefined;
  return {
    setting: 'DATABASE_URL',
    exception: 'DATABASE_INSECURE',
    remedy:
      "add sslmode=verify-full and a password or sslcert and sslkey to it, and name the server's CA in DATABASE_CA_FILE",
    hosts: [host],
    encrypted,
    // A function in its place says yes to every name.
    serverVerified: encrypted && options?.['rejectUnauthorized'] !== false && !options?.['checkServerIdentity'],
    clientProven: Boolean(password) || Boolean(options?.['cert']) || Boolean(process.env['PGPASSFILE']),
  };
}

/** The URL with the server's CA in it, from where the driver reads the file at every connection; with it the connection is encrypted and verified. */
function withDatabaseCa(databaseUrl: string, caFile: string | undefined): string {
  if (!caFile) return databaseUrl;
  const url = new URL(databaseUrl);
  if (!url.searchParams.has('sslrootcert')) url.searchParams.set('sslrootcert', caFile);
  return url.href;
}

/** The URL to use, with the server's CA in it; undefined: there are faults, which were noted, and repeat no password. */
export function databaseSettings(
  given: Given,
): { readonly databaseUrl: string; readonly insecureTransports: readonly InsecureTransport[] } | undefined {
  const values = given.of(databaseVariables);
  if (!values) return undefined;
  const caFile = values.DATABASE_CA_FILE;
  if (caFile !== undefined && given.textOf('DATABASE_CA_FILE') === undefined) return undefined;
  try {
    const databaseUrl = withDatabaseCa(values.DATABASE_URL, caFile);
    const links = [databaseLink(databaseUrl)];
    return { databaseUrl, insecureTransports: insecureTransports(links, given.environment, given.faults) };
  } catch (error) {
    // The driver's words may repeat the URL.
    given.fault(
      'DATABASE_URL',
      `cannot be used (${(error as NodeJS.ErrnoException).code ?? 'error'}): look at its form, and at files that it or DATABASE_CA_FILE names`,
    );
    return undefined;
  }
}
