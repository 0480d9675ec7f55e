/** The three kinds of patch that clients of the API server send. */

type JsonValue = unknown;

/** RFC 7386. */
export function mergePatch(target: JsonValue, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch;
  const result: Record<string, JsonValue> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** Lists that a strategic merge joins by a key; all others are replaced. */
const MERGE_KEYS: Record<string, string> = {
  conditions: 'type',
  containerStatuses: 'name',
  initContainerStatuses: 'name',
  taints: 'key',
  addresses: 'type',
  podIPs: 'ip',
  hostIPs: 'ip',
};

export function strategicMergePatch(target: JsonValue, patch: JsonValue, name = ''): JsonValue {
  const mergeKey = MERGE_KEYS[name];
  if (Array.isArray(patch)) {
    if (!mergeKey || name === 'containerStatuses' || name === 'initContainerStatuses') return patch;
    const given = patch as Record<string, JsonValue>[];
    if (given.some((item) => item?.['$patch'] === 'replace'))
      return given.filter((item) => item['$patch'] !== 'replace');
    const result = Array.isArray(target) ? [...(target as Record<string, JsonValue>[])] : [];
    for (const item of given) {
      const index = result.findIndex((known) => known[mergeKey] === item[mergeKey]);
      if (item['$patch'] === 'delete') {
        if (index >= 0) result.splice(index, 1);
      } else if (index >= 0) result[index] = strategicMergePatch(result[index], item) as Record<string, JsonValue>;
      else result.push(item);
    }
    return result;
  }
  if (!isObject(patch)) return patch;
  const result: Record<string, JsonValue> = isObject(target) && patch['$patch'] !== 'replace' ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    if (value === null) delete result[key];
    else result[key] = strategicMergePatch(result[key], value, key);
  }
  return result;
}

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: JsonValue;
}

/** RFC 6902: add, replace, remove and test. Throws with the operation that does not fit. */
export function jsonPatch(target: JsonValue, operations: readonly Operation[]): JsonValue {
  const result = structuredClone(target);
  for (const { op, path, value } of operations) {
    const keys = path
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    const parent = keys.reduce<JsonValue>((at, key) => (at as Record<string, JsonValue> | undefined)?.[key], result);
    if (typeof parent !== 'object' || parent === null) throw new Error(`the patch's path ${path} does not exist`);
    if (op === 'test') {
      if (JSON.stringify((parent as Record<string, JsonValue>)[last]) !== JSON.stringify(value))
        throw new Error(`the patch's test of ${path} failed`);
    } else if (Array.isArray(parent)) {
      const index = last === '-' ? parent.length : Number(last);
      if (op === 'add') parent.splice(index, 0, value);
      else if (op === 'remove') parent.splice(index, 1);
      else parent[index] = value;
    } else if (op === 'remove') delete (parent as Record<string, JsonValue>)[last];
    else (parent as Record<string, JsonValue>)[last] = value;
  }
  return result;
}

function isObject(value: JsonValue): value is Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
