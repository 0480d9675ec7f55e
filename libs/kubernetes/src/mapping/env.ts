/** Environment of one container: what the kubelet would have made of it, with every reference resolved before the group is created. */
import { Buffer } from 'node:buffer';
import { cutText, type EnvSpec, type SealedRunPod } from '#libs/contracts';
import { type DownwardSource, fieldValue, resourceValue } from './downward.ts';
import { expand } from './expansion.ts';
import type { Container, InitContainer } from './fields/container-fields.ts';
import { LIMITS } from './limits.ts';
import { type Ignored, own, refuse } from './refusal.ts';
import { plainText } from './storable.ts';

export interface EnvSource extends DownwardSource {
  readonly sealed: SealedRunPod;
  readonly serviceEnv: Readonly<Record<string, string>>;
}

/** Variables in the order of their first mention; `POD_IP` stands for an address that only ECI can fill in. */
const POD_IP = Symbol('status.podIP');
type Variables = Map<string, string | typeof POD_IP>;

interface ResolvedEnv {
  readonly env: readonly EnvSpec[];
  /** Expands `$(VAR)` in command, args and subPathExpr; `strict` refuses a variable that is not set. */
  readonly expand: (text: string, at: string, strict?: boolean) => string;
}

// ECI docs, CreateContainerGroup, EnvironmentVar.N.Key. Kubernetes takes more (any printable ASCII but `=`, since 1.34 everywhere), and cannot here.
const isName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && name.length <= LIMITS.envNameChars;

const expandWith = (
  variables: Variables,
  serviceEnv: Readonly<Record<string, string>>,
  text: string,
  at: string,
  strict = false,
): string =>
  expand(text, (name) => {
    const value = variables.get(name) ?? own(serviceEnv, name);
    if (value === POD_IP) {
      return refuse(at, 'needs the pod’s address before the pod exists; let the program read the variable instead');
    }
    if (value === undefined && strict) return refuse(at, `uses the variable ${cutText(name, 128)}, which is not set`);
    return value;
  });

/**
 * Order and overriding as in Kubernetes: service variables, then envFrom in its order, then env in its order; the last one of a name wins, and a
 * value sees what stands before it. `value` alone is expanded, never what comes from elsewhere.
 */
export function resolveEnv(
  source: EnvSource,
  container: Container | InitContainer,
  list: 'containers' | 'initContainers',
  at: string,
  seen: Ignored[],
): ResolvedEnv {
  const stated: Variables = new Map();
  readEnvFrom(source, container, at, stated, seen);
  container.env?.forEach((entry, index) => {
    const path = `${at}.env[${index}]`;
    if (!isName(entry.name)) {
      refuse(
        `${path}.name`,
        `must be letters, digits and _, not begin with a digit and have at most ${LIMITS.envNameChars} characters`,
      );
    }
    const value = entry.valueFrom
      ? valueFrom(source, entry.valueFrom, container.name, `${path}.valueFrom`)
      : expandWith(
          stated,
          source.serviceEnv,
          own(source.sealed.env, `${list}/${container.name}/${index}`) ?? entry.value ?? '',
          `${path}.value`,
        );
    if (value !== undefined) stated.set(entry.name, value);
  });

  const all: Variables = new Map();
  for (const name of Object.keys(source.serviceEnv).sort()) if (isName(name)) all.set(name, source.serviceEnv[name]!);
  for (const [name, value] of stated) all.set(name, value);
  if (all.size > LIMITS.envPerContainer) {
    refuse(
      `${at}.env`,
      `comes to ${all.size} variables; ECI takes ${LIMITS.envPerContainer}. If they are service variables, set enableServiceLinks to false`,
    );
  }
  const env = [...all].map(([name, value]): EnvSpec => {
    if (value === POD_IP) return { name, fieldPath: 'status.podIP' };
    if (value.length > LIMITS.envValueChars) {
      refuse(
        `${at}.env`,
        `the value of ${name} is longer than the ${LIMITS.envValueChars} characters that ECI takes; give it as a file by a ConfigMap or Secret volume`,
      );
    }
    return { name, value };
  });
  return { env, expand: (text, path, strict) => expandWith(stated, source.serviceEnv, text, path, strict) };
}

function readEnvFrom(
  source: EnvSource,
  container: Container | InitContainer,
  at: string,
  into: Variables,
  seen: Ignored[],
): void {
  container.envFrom?.forEach((entry, index) => {
    const path = `${at}.envFrom[${index}]`;
    const put = (ref: string, key: string, value: () => string): void => {
      const name = `${entry.prefix ?? ''}${key}`;
      if (isName(name)) into.set(name, plainText(value(), `${path}.${ref}`));
      else {
        seen.push({
          field: `${path}.${ref}`,
          reason: `the key ${cutText(key, 253)} cannot be the name of a variable on ECI`,
          warning: 'InvalidEnvironmentVariableNames',
        });
      }
    };
    if (entry.configMapRef) {
      const { name = '', optional = false } = entry.configMapRef;
      const object = own(source.sealed.configMaps, name);
      if (!object && !optional) refuse(`${path}.configMapRef`, `ConfigMap ${name} is not there; create it`);
      for (const key of Object.keys(object?.data ?? {}).sort()) put('configMapRef', key, () => object!.data[key]!);
    }
    if (entry.secretRef) {
      const { name = '', optional = false } = entry.secretRef;
      const object = own(source.sealed.secrets, name);
      if (!object && !optional) refuse(`${path}.secretRef`, `Secret ${name} is not there; create it`);
      for (const key of Object.keys(object?.data ?? {}).sort())
        put('secretRef', key, () => decode(object!.data[key]!, `${path}.secretRef`));
    }
  });
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A variable is text: bytes that are none must not become another value. */
function decode(base64: string, at: string): string {
  try {
    return strictUtf8.decode(Buffer.from(base64, 'base64'));
  } catch {
    return refuse(at, 'the value is not UTF-8, which a variable must be; give it as a file by a Secret volume');
  }
}

type ValueFrom = NonNullable<NonNullable<Container['env']>[number]['valueFrom']>;

function valueFrom(
  source: EnvSource,
  from: ValueFrom,
  container: string,
  at: string,
): string | typeof POD_IP | undefined {
  if (from.fieldRef) {
    // A group has one address, so both fields are the same text.
    if (/^status\.podIPs?$/.test(from.fieldRef.fieldPath)) return POD_IP;
    return fieldValue(source, from.fieldRef.fieldPath, `${at}.fieldRef`);
  }
  if (from.resourceFieldRef) return resourceValue(source, from.resourceFieldRef, container, `${at}.resourceFieldRef`);
  const isSecret = from.secretKeyRef !== undefined;
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (!ref) return '';
  const path = `${at}.${isSecret ? 'secretKeyRef' : 'configMapKeyRef'}`;
  const kind = isSecret ? 'Secret' : 'ConfigMap';
  const data = isSecret
    ? own(source.sealed.secrets, ref.name ?? '')?.data
    : own(source.sealed.configMaps, ref.name ?? '')?.data;
  const value = data && own(data, ref.key);
  if (value !== undefined) return plainText(isSecret ? decode(value, path) : value, path);
  if (ref.optional) return undefined;
  return refuse(
    path,
    data ? `${kind} ${ref.name} has no key ${ref.key}; add it` : `${kind} ${ref.name ?? ''} is not there; create it`,
  );
}
