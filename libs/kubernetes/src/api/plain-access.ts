import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { staysHere } from '#libs/transport';
import type { Access, AccessTls } from './access.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A kubeconfig that was read: what it names for its context, and where it stands. */
interface Kubeconfig {
  readonly cluster: Fields;
  /** Empty: nobody. */
  readonly user: Fields;
  readonly folder: string;
}

/** Throws, naming the file, when it cannot be read or names no cluster for its context. */
export function readKubeconfig(path: string, context: string | undefined): Kubeconfig {
  let content: Fields;
  try {
    content = fieldsOf(parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new Error(`kubeconfig ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const named = (list: string, inner: string, name: unknown): Fields | undefined => {
    const entries = Array.isArray(content[list]) ? (content[list] as unknown[]).map(fieldsOf) : [];
    const found = entries.find((entry) => entry['name'] === name);
    return found && fieldsOf(found[inner]);
  };
  const chosen = named('contexts', 'context', context ?? content['current-context']);
  const cluster = chosen && named('clusters', 'cluster', chosen['cluster']);
  if (!chosen || typeof cluster?.['server'] !== 'string')
    throw new Error(`kubeconfig ${path} names no cluster for its current context`);
  return { cluster, user: named('users', 'user', chosen['user']) ?? {}, folder: dirname(resolve(path)) };
}

const CLUSTER = [
  'server',
  'certificate-authority',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
  'extensions',
];
const USER = ['token', 'tokenFile', 'client-certificate', 'client-certificate-data', 'client-key', 'client-key-data'];

/**
 * Access by a token or a client certificate, straight to the server: what nearly every kubeconfig is, and no reason to load client-node, which
 * costs 40 MB of memory and a second of every start. Undefined for anything else: commands, identity providers, proxies, other servers than
 * https (or http on loopback, where there is nothing to verify).
 */
export function plainAccess({ cluster, user, folder }: Kubeconfig): Access | undefined {
  const server = String(cluster['server']).replace(/\/+$/, '');
  if (!Object.keys(cluster).every((name) => CLUSTER.includes(name))) return undefined;
  if (!Object.keys(user).every((name) => USER.includes(name))) return undefined;
  if (!server.startsWith('https:') && !isPlainLoopback(server)) return undefined;
  const text = (fields: Fields, name: string): string | undefined =>
    typeof fields[name] === 'string' && fields[name] !== '' ? fields[name] : undefined;
  const content = async (fields: Fields, name: string): Promise<Buffer | undefined> => {
    const data = text(fields, `${name}-data`);
    if (data !== undefined) return Buffer.from(data, 'base64');
    const file = text(fields, name);
    return file === undefined ? undefined : await readFile(resolve(folder, file));
  };
  return {
    server,
    async read() {
      const [ca, cert, key] = await Promise.all([
        content(cluster, 'certificate-authority'),
        content(user, 'client-certificate'),
        content(user, 'client-key'),
      ]);
      const servername = text(cluster, 'tls-server-name');
      const tls: AccessTls = {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(servername === undefined ? {} : { servername }),
        ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
      };
      const file = text(user, 'tokenFile');
      const token = file === undefined ? text(user, 'token') : await readFile(resolve(folder, file), 'utf8');
      return { headers: token === undefined ? {} : { authorization: `Bearer ${token.trim()}` }, tls };
    },
  };
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Access of a pod, by its service account; Kubernetes renews the token in its file. */
export function serviceAccountAccess({ host, port }: { readonly host: string; readonly port: number }): Access {
  return plainAccess({
    cluster: {
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      'certificate-authority': 'ca.crt',
    },
    user: { tokenFile: 'token' },
    folder: SERVICE_ACCOUNT,
  })!;
}

/** A demo API server, or `kubectl proxy`. */
function isPlainLoopback(server: string): boolean {
  if (!server.startsWith('http:')) return false;
  return URL.canParse(server) && staysHere(new URL(server).hostname);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
