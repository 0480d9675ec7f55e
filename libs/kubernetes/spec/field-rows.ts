/** The field table for people: docs/operators/pod-fields.md is written by this, and a test keeps the two equal. */
import { ANNOTATIONS } from '../src/mapping/annotation-table.ts';
import type { Field, FieldUse } from '../src/mapping/fields/field.ts';
import { podSpec } from '../src/mapping/fields/pod-fields.ts';

interface FieldRow {
  readonly path: string;
  readonly use: FieldUse;
  readonly note: string;
}

/** One row for each field of a pod's spec; a part that was shown before refers to where. */
export function podFieldRows(): readonly FieldRow[] {
  const rows: FieldRow[] = [];
  const shown = new Map<unknown, string>();
  const visit = (field: Field, path: string): void => {
    if (field.kind === 'list') {
      const ofLeaves = field.item!.kind !== 'object';
      if (field.note || ofLeaves) rows.push({ path, use: field.use, note: field.note });
      return ofLeaves ? undefined : visit(field.item!, `${path}[]`);
    }
    if (field.kind !== 'object') {
      rows.push({ path: field.kind === 'map' ? `${path}.*` : path, use: field.use, note: field.note });
      return;
    }
    const before = shown.get(field.fields);
    if (field.note || before) {
      rows.push({
        path,
        use: field.use,
        note: [field.note, before && `Fields as in ${before}.`].filter(Boolean).join(' '),
      });
    }
    if (before) return;
    shown.set(field.fields, path);
    for (const [name, child] of Object.entries(field.fields!)) visit(child, `${path}.${name}`);
  };
  visit(podSpec, 'spec');
  return rows;
}

const WORDS: Readonly<Record<FieldUse, string>> = { mapped: 'mapped', ignored: 'ignored', refused: '**refused**' };
const table = (head: string, rows: readonly FieldRow[]): string =>
  [
    `| ${head} | | |`,
    '|---|---|---|',
    ...rows.map(({ path, use, note }) => `| \`${path}\` | ${WORDS[use]} | ${note} |`),
  ].join('\n');

/** The page of the documentation, Markdown before formatting. */
export function podFieldsPage(): string {
  const annotations = Object.entries(ANNOTATIONS).map(([path, row]) => ({ path, ...row }));
  return `# What becomes of each field of a pod

This page is made from the table that the mapping itself reads by (\`libs/kubernetes/src/mapping\`); a test keeps them equal.

- **mapped**: goes into the container group, under the rule beside it.
- **ignored**: has no effect on ECI, on purpose. Where that could surprise somebody, the mapping says so for each pod.
- **refused**: would change what runs and cannot be given. The pod is rejected, with the field's path and the reason as an event on the pod and in the history. Values that ask for nothing (\`false\`, \`0\`, empty) are fine.

A field that is not in this table is refused too: nothing is dropped in silence. Pods of a DaemonSet are refused.

## Fields of the spec

${table('Field', podFieldRows())}

## Annotations

Annotations outside \`k8s.aliyun.com/\` concern nobody here, except those in the table. An annotation of \`k8s.aliyun.com/\` that is not in the table refuses the pod, unless its value is empty or \`false\`.

${table('Annotation', annotations)}

## Size of the container group

\`k8s.aliyun.com/eci-use-specs\` replaces the calculation. Otherwise: for each container the limit counts, else the request; containers are summed; the largest init container is the least; containers with the variable \`__ECI_RESOURCE_IGNORE__=TRUE\` are left out. The sum is rounded up to the smallest size that ECI sells: least vCPU first, then least memory. In regions that sell more memory steps the nearest one comes first and the size that every zone has second. Nothing stated gives \`2-4Gi\`. Ephemeral storage beyond 30 GiB is added to the group.

## What differs from a kubelet

- Files of volumes are written once, when the group is created: ConfigMaps, Secrets, the downward API and tokens are not renewed while it runs.
- A startup probe is approximated: liveness begins after the longest start that the startup probe would allow.
- \`$(VAR)\` of a variable that holds \`status.podIP\` cannot be expanded, because the address is not known before the group exists; such a pod is refused.
- A token volume follows \`defaultMode\` (0644 unless said otherwise).
`;
}
