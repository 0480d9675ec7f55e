import { apiVersionOf, RESOURCES, type ResourceType } from './resources.ts';

/** What `kubectl` looks resources up by; an API server has more verbs, this one has these. */
const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

/**
 * Answers the paths by which clients learn what there is: `/version`, `/api`, `/apis`, each group and version, and as much of `/openapi/v3` as
 * clients need to send what they write unchecked. Undefined for every other path. Plain discovery only: clients that would rather have the
 * aggregated form take this one when they get it.
 */
export function discovered(path: string): object | undefined {
  const parts = path.split('/').filter(Boolean);
  const [first, group, version] = parts;
  if (parts.length === 1 && first === 'version')
    return { major: '1', minor: '37', gitVersion: 'v1.37.2-demo', platform: 'demo/any' };
  if (parts.length === 1 && first === 'api') return { kind: 'APIVersions', versions: ['v1'] };
  if (parts.length === 2 && first === 'api') return resourcesOf('', group as string);
  if (parts.length === 1 && first === 'apis')
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups().map(groupOf) };
  if (parts.length === 2 && first === 'apis' && groups().includes(group as string))
    return { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group as string) };
  if (parts.length === 3 && first === 'apis') return resourcesOf(group as string, version as string);
  return openApi(parts);
}

const groups = (): string[] => [...new Set(RESOURCES.map((r) => r.group))].filter((group) => group !== '');

function groupOf(name: string): object {
  const versions = [...new Set(RESOURCES.filter((r) => r.group === name).map((r) => r.version))];
  const named = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: named, preferredVersion: named[0] };
}

function resourcesOf(group: string, version: string): object | undefined {
  const types = RESOURCES.filter((r) => r.group === group && r.version === version);
  if (types.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(types[0] as ResourceType),
    resources: types.flatMap((type) => [
      resourceOf(type, type.plural, VERBS),
      ...(type.withStatus ? [resourceOf(type, `${type.plural}/status`, ['get', 'patch', 'update'])] : []),
    ]),
  };
}

function resourceOf({ kind, namespaced, shortNames }: ResourceType, name: string, verbs: readonly string[]): object {
  return {
    name,
    singularName: name.includes('/') ? '' : kind.toLowerCase(),
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 && !name.includes('/') ? { shortNames } : {}),
  };
}

/** Paths of the patches alone: `kubectl apply` looks there whether the server checks fields itself (it takes everything). */
function openApi(parts: readonly string[]): object | undefined {
  if (parts[0] !== 'openapi' || parts[1] !== 'v3') return undefined;
  const roots = [...new Set(RESOURCES.map(rootOf))];
  if (parts.length === 2)
    return { paths: Object.fromEntries(roots.map((root) => [root, { serverRelativeURL: `/openapi/v3/${root}` }])) };
  const root = parts.slice(2).join('/');
  if (!roots.includes(root)) return undefined;
  const paths = RESOURCES.filter((type) => rootOf(type) === root).map((type) => [
    `/${root}/${type.namespaced ? 'namespaces/{namespace}/' : ''}${type.plural}/{name}`,
    {
      patch: {
        parameters: ['dryRun', 'fieldValidation'].map((name) => ({ name, in: 'query', schema: { type: 'string' } })),
        responses: {},
        'x-kubernetes-group-version-kind': { group: type.group, version: type.version, kind: type.kind },
      },
    },
  ]);
  return { openapi: '3.0.0', info: { title: 'demo', version: 'v1' }, paths: Object.fromEntries(paths) as object };
}

const rootOf = ({ group, version }: ResourceType): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;
