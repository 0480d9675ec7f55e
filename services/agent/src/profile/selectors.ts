import { z } from 'zod';
import { text } from '#libs/contracts';

/** Of a label or an annotation; the API server bounds what it takes of them. */
const word = text(262_144);

const LabelSelector = z
  .object({
    matchLabels: z.record(word, word).optional(),
    matchExpressions: z
      .array(
        z.discriminatedUnion('operator', [
          z.object({ key: word, operator: z.enum(['In', 'NotIn']), values: z.array(word).min(1) }),
          z.object({
            key: word,
            operator: z.enum(['Exists', 'DoesNotExist']),
            values: z.array(z.string()).max(0).optional(),
          }),
        ]),
      )
      .optional(),
  })
  .strict();
export type LabelSelector = z.infer<typeof LabelSelector>;

const Selector = z
  .object({
    name: text(262_144, 1),
    namespaceSelector: LabelSelector.optional(),
    objectSelector: LabelSelector.optional(),
    effect: z
      .object({
        annotations: z.record(word, word).optional(),
        labels: z.record(word, word).optional(),
      })
      .strict()
      .optional(),
  })
  .strict();

/** One selector of the eci-profile: which pods go to the virtual node, and what is added to them. */
export type Selector = z.infer<typeof Selector>;

export type Labels = Readonly<Record<string, string>>;

type ParsedSelectors =
  | { readonly ok: true; readonly value: readonly Selector[] }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Reads the key `selectors` of the ConfigMap: a JSON array in a string. Absent or empty = none. */
export function parseSelectors(text: string | undefined): ParsedSelectors {
  if (text === undefined || text.trim() === '') return { ok: true, value: [] };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, faults: ['selectors: must be a JSON array'] };
  }
  const parsed = z.array(Selector).safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  return {
    ok: false,
    faults: parsed.error.issues.map(
      (issue) => `selectors${issue.path.map((p) => `[${String(p)}]`).join('')}: ${issue.message}`,
    ),
  };
}

/** Kubernetes' rule: all must hold; an empty selector matches everything. */
export function matches(selector: LabelSelector, labels: Labels): boolean {
  const has = (key: string): boolean => Object.hasOwn(labels, key);
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => has(key) && labels[key] === value) &&
    (selector.matchExpressions ?? []).every((e) => {
      switch (e.operator) {
        case 'In':
          return has(e.key) && e.values.includes(labels[e.key]!);
        case 'NotIn':
          return !has(e.key) || !e.values.includes(labels[e.key]!);
        case 'Exists':
          return has(e.key);
        case 'DoesNotExist':
          return !has(e.key);
      }
    })
  );
}

/** A selector that chooses pods; one without any is only a default for pods chosen otherwise. */
export const chooses = (selector: Selector): boolean =>
  selector.namespaceSelector !== undefined || selector.objectSelector !== undefined;

/** Both given: both must match. */
export function selects(selector: Selector, pod: Labels, namespace: Labels): boolean {
  return (
    chooses(selector) &&
    (selector.namespaceSelector === undefined || matches(selector.namespaceSelector, namespace)) &&
    (selector.objectSelector === undefined || matches(selector.objectSelector, pod))
  );
}
