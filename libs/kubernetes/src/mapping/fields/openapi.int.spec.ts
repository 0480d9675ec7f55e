/** The table of fields against the fields that a real API server says a pod has. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type KubernetesCluster, sharedKubernetes } from '#libs/testing';
import type { Field } from './field.ts';
import { podSpec } from './pod-fields.ts';

interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

let cluster: KubernetesCluster;
beforeAll(async () => {
  cluster = await sharedKubernetes();
});
afterAll(async () => {
  await cluster?.close();
});

it('every field of a pod’s spec that the API server knows is in the table', async () => {
  const document = await cluster.api.call('GET', '/openapi/v3/api/v1');
  const schemas = document.components.schemas as Record<string, Schema>;
  const resolve = (schema: Schema): Schema => {
    const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
    return ref ? resolve(schemas[ref.split('/').at(-1)!]!) : schema;
  };
  let compared = 0;
  const missing: string[] = [];
  const compare = (field: Field, schema: Schema, path: string): void => {
    const resolved = resolve(schema);
    if (field.kind === 'list') return compare(field.item!, resolved.items!, `${path}[]`);
    if (field.kind !== 'object') return;
    for (const [name, property] of Object.entries(resolved.properties ?? {})) {
      compared += 1;
      const known = field.fields![name];
      if (known) compare(known, property, `${path}.${name}`);
      else missing.push(`${path}.${name}`);
    }
  };
  compare(podSpec, schemas['io.k8s.api.core.v1.PodSpec']!, 'spec');
  expect(compared).toBeGreaterThan(200);
  expect(missing).toEqual([]);
});
