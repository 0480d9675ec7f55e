/** Credentials for pulling images, from Secrets of the two Docker types. */
import { Buffer } from 'node:buffer';
import type { ContainerGroupSpec, SealedRunPod } from '#libs/contracts';
import { LIMITS } from './limits.ts';
import { type Ignored, own, refuse } from './refusal.ts';

type Credentials = ContainerGroupSpec['registryCredentials'];

/** Registry of an image as a pull would ask for it; images without one come from Docker Hub. */
const registryOf = (image: string): string => {
  const first = image.split('/')[0]!;
  return image.includes('/') && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
};
const HUB: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
]);

/**
 * In the order of the Secrets; the first credential of a server wins. A Secret that is missing, or holds no credentials, is skipped, as a kubelet
 * does: the image may come without it. When there are more servers than ECI takes, those that no image comes from are left out.
 */
export function registryCredentialsOf(sealed: SealedRunPod, images: readonly string[], seen: Ignored[]): Credentials {
  const byServer = new Map<string, Credentials[number]>();
  for (const name of sealed.pullSecrets) {
    const at = `spec.imagePullSecrets['${name.slice(0, 253)}']`;
    const secret = own(sealed.secrets, name);
    if (!secret) {
      seen.push({ field: at, reason: 'The Secret is not there.' });
      continue;
    }
    const credentials = parse(secret);
    if (typeof credentials === 'string') {
      seen.push({ field: at, reason: credentials, warning: 'FailedToRetrieveImagePullSecret' });
      continue;
    }
    for (const credential of credentials) {
      if (!byServer.has(credential.server)) byServer.set(credential.server, credential);
    }
  }
  const all = [...byServer.values()];
  if (all.length <= LIMITS.registryCredentials) return all;
  const used = new Set(images.map(registryOf));
  const needed = all.filter(({ server }) => {
    const host = server.split('/')[0]!;
    return used.has(host) || (HUB.has(host) && used.has('docker.io')) || host.startsWith('*.');
  });
  if (needed.length > LIMITS.registryCredentials) {
    refuse(
      'spec.imagePullSecrets',
      `come to credentials of more than the ${LIMITS.registryCredentials} registries that ECI takes`,
    );
  }
  return needed;
}

/** The credentials of a Secret, or why there are none; never with a word of what it holds. */
function parse(secret: {
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}): Credentials | string {
  const [key, wrapped] =
    secret.type === 'kubernetes.io/dockercfg' ? ['.dockercfg', false] : ['.dockerconfigjson', true];
  const encoded = own(secret.data, key as string);
  if (encoded === undefined)
    return `The Secret has no key ${String(key)}; give it the type kubernetes.io/dockerconfigjson.`;
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
  } catch {
    // The parser's own message would quote the content.
    return `The key ${String(key)} of the Secret is not JSON; make it with kubectl create secret docker-registry.`;
  }
  const servers = wrapped ? field(json, 'auths') : json;
  if (typeof servers !== 'object' || servers === null)
    return 'The Secret names no registry; make it with kubectl create secret docker-registry.';
  return Object.entries(servers).flatMap(([server, entry]) => {
    const login = loginOf(entry);
    return login ? [{ server: bare(server), ...login }] : [];
  });
}

/** ECI takes a server without scheme; the `/v1/` of Docker Hub's old address is none either. */
const bare = (server: string): string =>
  server
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/+$/, '');

const field = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;

function loginOf(entry: unknown): { userName: string; password: string } | undefined {
  const userName = field(entry, 'username');
  const password = field(entry, 'password');
  if (typeof userName === 'string' && typeof password === 'string' && userName !== '') return { userName, password };
  const auth = field(entry, 'auth');
  if (typeof auth !== 'string') return undefined;
  const decoded = Buffer.from(auth, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon > 0 ? { userName: decoded.slice(0, colon), password: decoded.slice(colon + 1) } : undefined;
}
