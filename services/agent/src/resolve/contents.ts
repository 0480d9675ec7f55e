import type { ConfigMapObject, SecretObject } from '#libs/kubernetes';
import type { SealedRunPod } from '#libs/contracts';
import type { Reference } from './references.ts';

/** Something a pod names is not there. `reason` is the word that users of virtual nodes know from their events. */
export interface Missing {
  readonly reason:
    | `${'Mandatory' | 'Optional'}${'ConfigMap' | 'Secret'}${'NotFound' | 'KeyNotFound'}`
    | 'FailedToRetrieveImagePullSecret'
    | 'ServiceAccountNotFound';
  readonly message: string;
  /** The pod cannot go without it. */
  readonly mandatory: boolean;
}

interface Contents {
  readonly configMaps: SealedRunPod['configMaps'];
  readonly secrets: SealedRunPod['secrets'];
  readonly missing: readonly Missing[];
}

export type Fetched =
  | { readonly kind: 'ConfigMap'; readonly name: string; readonly object: ConfigMapObject | undefined }
  | { readonly kind: 'Secret'; readonly name: string; readonly object: SecretObject | undefined };

/** Takes what the pod names out of the objects, and nothing else of them: keys that no field asks for stay in the cluster. */
export function contentsOf(references: readonly Reference[], fetched: readonly Fetched[]): Contents {
  const configMaps = byName<{ data: Record<string, string>; binaryData: Record<string, string> }>();
  const secrets = byName<{ type: string; data: Record<string, string> }>();
  const missing = new Map<string, Missing>();
  const miss = (m: Missing): void => {
    missing.set(`${m.reason} ${m.message}`, m);
  };

  for (const reference of references) {
    const { kind, name, key } = reference;
    const found = fetched.find((f) => f.kind === kind && f.name === name);
    if (!found?.object) {
      miss(absent(reference));
      continue;
    }
    let has: boolean;
    if (found.kind === 'ConfigMap') {
      const into = (configMaps[name] ??= { data: byName(), binaryData: byName() });
      const inData = take(found.object.data, key, into.data);
      const inBinary = take(found.object.binaryData, key, into.binaryData);
      has = inData || inBinary;
    } else {
      const into = (secrets[name] ??= { type: found.object.type ?? 'Opaque', data: byName() });
      has = take(found.object.data, key, into.data);
    }
    if (!has && key !== 'all') miss(keyAbsent(reference, key));
  }
  return { configMaps, secrets, missing: [...missing.values()] };
}

/** Objects may be called `constructor`, and keys `__proto__`: nothing is in it that nobody has put there. */
const byName = <T = string>(): Record<string, T> => Object.create(null) as Record<string, T>;

function take(from: Record<string, string> | undefined, key: string | 'all', into: Record<string, string>): boolean {
  if (key === 'all') {
    Object.assign(into, from);
    return true;
  }
  const value = from && Object.hasOwn(from, key) ? from[key] : undefined;
  if (value === undefined) return false;
  into[key] = value;
  return true;
}

function absent({ kind, name, optional, use }: Reference): Missing {
  if (use === 'pull') {
    return {
      reason: 'FailedToRetrieveImagePullSecret',
      message: `Secret ${name} for pulling images does not exist; pulling may fail`,
      mandatory: false,
    };
  }
  return {
    reason: `${optional ? 'Optional' : 'Mandatory'}${kind}NotFound`,
    message: optional
      ? `${kind} ${name} does not exist; the pod goes without it`
      : `${kind} ${name} does not exist; the pod starts when it appears`,
    mandatory: !optional,
  };
}

function keyAbsent({ kind, name, optional }: Reference, key: string): Missing {
  return {
    reason: `${optional ? 'Optional' : 'Mandatory'}${kind}KeyNotFound`,
    message: optional
      ? `${kind} ${name} has no key ${key}; the pod goes without it`
      : `${kind} ${name} has no key ${key}; the pod starts when it appears`,
    mandatory: !optional,
  };
}
