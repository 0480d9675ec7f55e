import pg from 'pg';
import { insecureTransports, type InsecureTransport, type RuledLink } from '#libs/transport';

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

/**
 * The URL to use of `DATABASE_URL`, `DATABASE_CA_FILE` and `DATABASE_INSECURE`. Whatever is wrong with them is added to `faults`, each a sentence that
 * repeats no password.
 */
export function databaseUrlOf(
  environment: Readonly<Record<string, string | undefined>>,
  faults: string[],
): { readonly url: string; readonly insecure: readonly InsecureTransport[] } {
  const given = environment['DATABASE_URL']?.trim() ?? '';
  try {
    const url = withDatabaseCa(given, environment['DATABASE_CA_FILE']?.trim());
    return { url, insecure: insecureTransports([databaseLink(url)], environment, faults) };
  } catch (error) {
    // The driver's words may repeat the URL.
    faults.push(
      `DATABASE_URL: cannot be used (${(error as NodeJS.ErrnoException).code ?? 'error'}): look at its form, and at files that it or DATABASE_CA_FILE names`,
    );
    return { url: given, insecure: [] };
  }
}
