import type { PodObject } from '#libs/kubernetes';

/** One thing of the cluster that a pod names, and how much of it: exactly these keys, or all. */
export interface Reference {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  /** May be missing. */
  readonly optional: boolean;
  /** `all`, or one key. */
  readonly key: string | 'all';
  readonly use: 'value' | 'pull';
}

export interface TokenReference {
  /** `<volume>/<file>`. */
  readonly path: string;
  /** Absent: the API server's own. */
  readonly audience?: string;
  readonly expirationSeconds?: number;
}

interface References {
  readonly objects: readonly Reference[];
  readonly tokens: readonly TokenReference[];
  /** Names of Secrets for pulling images, in order. The admission of the API server has already added those of the service account. */
  readonly pullSecrets: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

const objects = (value: unknown): readonly Json[] =>
  Array.isArray(value) ? value.filter((v): v is Json => typeof v === 'object' && v !== null) : [];
const object = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** What a pod needs of its cluster. Total: what it does not understand it leaves to the mapping, which names the field. */
export function referencesOf(pod: PodObject): References {
  const found: Reference[] = [];
  const tokens: TokenReference[] = [];

  const add = (kind: Reference['kind'], source: Json | undefined, key: string | 'all', field = 'name'): void => {
    const name = text(source?.[field]);
    if (source && name) found.push({ kind, name, key, optional: source.optional === true, use: 'value' });
  };
  const addItems = (kind: Reference['kind'], source: Json | undefined, field?: string): void => {
    const items = objects(source?.items);
    if (items.length === 0) add(kind, source, 'all', field);
    for (const item of items) add(kind, source, text(item.key) ?? 'all', field);
  };

  for (const container of [...objects(pod.spec.initContainers), ...objects(pod.spec.containers)]) {
    for (const from of objects(container.envFrom)) {
      add('ConfigMap', object(from.configMapRef), 'all');
      add('Secret', object(from.secretRef), 'all');
    }
    for (const env of objects(container.env)) {
      const from = object(env.valueFrom);
      const configMap = object(from?.configMapKeyRef);
      const secret = object(from?.secretKeyRef);
      if (configMap) add('ConfigMap', configMap, text(configMap.key) ?? 'all');
      if (secret) add('Secret', secret, text(secret.key) ?? 'all');
    }
  }
  for (const volume of objects(pod.spec.volumes)) {
    addItems('ConfigMap', object(volume.configMap));
    addItems('Secret', object(volume.secret), 'secretName');
    for (const source of objects(object(volume.projected)?.sources)) {
      addItems('ConfigMap', object(source.configMap));
      addItems('Secret', object(source.secret));
      const token = object(source.serviceAccountToken);
      if (!token) continue;
      const audience = text(token.audience);
      tokens.push({
        path: `${text(volume.name) ?? ''}/${text(token.path) ?? 'token'}`,
        ...(audience === undefined ? {} : { audience }),
        ...(typeof token.expirationSeconds === 'number' ? { expirationSeconds: token.expirationSeconds } : {}),
      });
    }
  }
  const pullSecrets = objects(pod.spec.imagePullSecrets).flatMap((s) => text(s.name) ?? []);
  for (const name of pullSecrets) found.push({ kind: 'Secret', name, key: 'all', optional: true, use: 'pull' });
  return { objects: found, tokens, pullSecrets };
}
