/** Volumes. Everything that Kubernetes writes as files (ConfigMaps, Secrets, downward API, tokens) becomes one kind: files with modes. */
import { Buffer } from 'node:buffer';
import type { VolumeSpec } from '#libs/contracts';
import { type DownwardSource, fieldValue, resourceValue, toMiB } from './downward.ts';
import type { EnvSource } from './env.ts';
import type { Volume } from './fields/volume-fields.ts';
import { LIMITS } from './limits.ts';
import { parseQuantity } from './quantity.ts';
import { own, refuse } from './refusal.ts';
import { plainText } from './storable.ts';

interface File {
  readonly path: string;
  readonly content: string;
  readonly mode?: number;
}
/** The default of Kubernetes for files of volumes: 0644. */
const DEFAULT_MODE = 0o644;
const EVERYBODY_READS = 0o444;

export function volumeSpec(source: EnvSource, volume: Volume, readableByAll: boolean, at: string): VolumeSpec {
  const { name, ...kinds } = volume;
  const given = Object.keys(kinds) as (keyof typeof kinds)[];
  if (given.length > 1) return refuse(at, 'states more than one kind of volume');
  if (volume.nfs) {
    return {
      kind: 'nfs',
      name,
      server: volume.nfs.server,
      path: volume.nfs.path,
      readOnly: volume.nfs.readOnly ?? false,
    };
  }
  if (volume.configMap) {
    const { configMap } = volume;
    return files(name, configMap.defaultMode, configMapFiles(source, configMap, `${at}.configMap`), readableByAll, at);
  }
  if (volume.secret) {
    const { secretName, ...secret } = volume.secret;
    const from = { ...secret, ...(secretName !== undefined && { name: secretName }) };
    return files(name, secret.defaultMode, secretFiles(source, from, `${at}.secret`), readableByAll, at);
  }
  if (volume.downwardAPI) {
    const { downwardAPI } = volume;
    return files(
      name,
      downwardAPI.defaultMode,
      downwardFiles(source, downwardAPI.items, `${at}.downwardAPI`),
      readableByAll,
      at,
    );
  }
  if (volume.projected) {
    const { projected } = volume;
    const all = (projected.sources ?? []).flatMap((part, index) =>
      projectedFiles(source, name, part, `${at}.projected.sources[${index}]`),
    );
    // A later source wins, as in Kubernetes.
    const byPath = new Map(all.map((file) => [file.path, file]));
    return files(name, projected.defaultMode, [...byPath.values()], readableByAll, at);
  }
  // A volume without any kind is an emptyDir, says the API server.
  const { medium, sizeLimit } = volume.emptyDir ?? {};
  if (medium && medium !== 'Memory')
    return refuse(`${at}.emptyDir.medium`, 'must be empty or Memory; ECI has no huge pages');
  return {
    kind: 'empty-dir',
    name,
    ...(medium === 'Memory' && { medium: 'Memory' as const }),
    // The unit of a bare number is documented in two ways, so the unit is always sent.
    ...(sizeLimit !== undefined &&
      parseQuantity(sizeLimit)! > 0 && { sizeLimit: `${toMiB(parseQuantity(sizeLimit)!)}Mi` }),
  };
}

function files(
  name: string,
  mode: number | undefined,
  list: readonly File[],
  readableByAll: boolean,
  at: string,
): VolumeSpec {
  if (list.length > LIMITS.filesPerVolume)
    refuse(at, `has ${list.length} files; ECI takes ${LIMITS.filesPerVolume} in one volume`);
  const open = (bits: number): number => (readableByAll ? bits | EVERYBODY_READS : bits);
  for (const file of list) {
    const bytes = Buffer.byteLength(file.content, 'base64');
    if (bytes > LIMITS.fileBytes) {
      refuse(
        at,
        `the file ${file.path} has ${bytes} bytes; ECI takes ${LIMITS.fileBytes} in one file. Use nfs, or put it into the image`,
      );
    }
  }
  return {
    kind: 'files',
    name,
    defaultMode: open(checkMode(mode ?? DEFAULT_MODE, `${at}.defaultMode`)),
    files: list.map(({ path, content, mode: fileMode }) => ({
      path,
      content,
      ...(fileMode !== undefined && { mode: open(fileMode) }),
    })),
  };
}

const checkMode = (mode: number, at: string): number =>
  mode >= 0 && mode <= 0o777 ? mode : refuse(at, 'must be between 0 and 0777');

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

function checkPath(path: string, at: string): string {
  const inside = path !== '' && !path.startsWith('/') && !path.split('/').includes('..');
  return inside ? path : refuse(at, 'must be a relative path without ..');
}

type Items = NonNullable<Volume['configMap']>['items'];

function pick(
  contents: ReadonlyMap<string, string>,
  items: Items,
  optional: boolean,
  what: string,
  at: string,
): File[] {
  if (!items || items.length === 0) {
    return [...contents]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, content]) => ({ path: plainText(path, at), content }));
  }
  return items.flatMap((item, index): File[] => {
    const content = contents.get(item.key);
    if (content === undefined) {
      return optional ? [] : refuse(`${at}.items[${index}].key`, `${what} has no such key; add it`);
    }
    return [
      {
        path: checkPath(item.path, `${at}.items[${index}].path`),
        content,
        ...(item.mode !== undefined && { mode: checkMode(item.mode, `${at}.items[${index}].mode`) }),
      },
    ];
  });
}

interface ObjectRef {
  readonly name?: string;
  readonly items?: Items;
  readonly optional?: boolean;
}

function configMapFiles(source: EnvSource, ref: ObjectRef, at: string): File[] {
  const object = own(source.sealed.configMaps, ref.name ?? '');
  if (!object) return ref.optional ? [] : refuse(at, `ConfigMap ${ref.name ?? ''} is not there; create it`);
  const contents = new Map([
    // U+0000 is a byte like any other; half of a surrogate pair is none.
    ...Object.entries(object.data).map(([key, value]): [string, string] => [
      key,
      base64(value.isWellFormed() ? value : plainText(value, at)),
    ]),
    ...Object.entries(object.binaryData),
  ]);
  return pick(contents, ref.items, ref.optional ?? false, `ConfigMap ${ref.name}`, at);
}

function secretFiles(source: EnvSource, ref: ObjectRef, at: string): File[] {
  const object = own(source.sealed.secrets, ref.name ?? '');
  if (!object) return ref.optional ? [] : refuse(at, `Secret ${ref.name ?? ''} is not there; create it`);
  return pick(new Map(Object.entries(object.data)), ref.items, ref.optional ?? false, `Secret ${ref.name}`, at);
}

type DownwardItems = NonNullable<Volume['downwardAPI']>['items'];

function downwardFiles(source: DownwardSource, items: DownwardItems, at: string): File[] {
  return (items ?? []).map((item, index) => {
    const path = `${at}.items[${index}]`;
    const value = item.fieldRef
      ? fieldValue(source, item.fieldRef.fieldPath, `${path}.fieldRef`)
      : item.resourceFieldRef
        ? resourceValue(source, item.resourceFieldRef, undefined, `${path}.resourceFieldRef`)
        : refuse(path, 'states neither fieldRef nor resourceFieldRef');
    return {
      path: checkPath(item.path, `${path}.path`),
      content: base64(value),
      ...(item.mode !== undefined && { mode: checkMode(item.mode, `${path}.mode`) }),
    };
  });
}

type ProjectedSource = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

function projectedFiles(source: EnvSource, volume: string, part: ProjectedSource, at: string): File[] {
  if (part.configMap) return configMapFiles(source, part.configMap, `${at}.configMap`);
  if (part.secret) return secretFiles(source, part.secret, `${at}.secret`);
  if (part.downwardAPI) return downwardFiles(source, part.downwardAPI.items, `${at}.downwardAPI`);
  if (part.serviceAccountToken) {
    const path = checkPath(part.serviceAccountToken.path, `${at}.serviceAccountToken.path`);
    const token = own(source.sealed.tokens, `${volume}/${path}`);
    if (token === undefined) {
      return refuse(
        `${at}.serviceAccountToken`,
        'the agent sent no token for it; check that the agent may create tokens of service accounts',
      );
    }
    return [{ path, content: base64(token) }];
  }
  return [];
}
