import type { Haystack } from './canaries.ts';
import type { ApiAnswer, ControlPlaneApi } from './control-plane-api.ts';

interface Path {
  readonly get?: { readonly parameters?: readonly { readonly in: string; readonly required?: boolean }[] };
}

/** Every answer that a GET of the API can give now: each path of its own description, each page, each item of each list. */
export async function wholeApi(api: ControlPlaneApi): Promise<Haystack[]> {
  const { body: description } = await api.ask('GET', '/api/docs-json');
  const paths = Object.entries(description.paths as Record<string, Path>)
    .filter(([, operations]) => operations.get !== undefined)
    // Lists before what is below them.
    .sort(([a], [b]) => a.length - b.length);
  const answers: Haystack[] = [];
  const items = new Map<string, Record<string, unknown>[]>();
  for (const [template, { get }] of paths) {
    // `/lists/{id}/rest`: once for each item of the list, by the field that the parameter is named after.
    const [, list = template, field, rest] = /^(.*?)\/\{(\w+)\}(.*)$/.exec(template) ?? [];
    const concrete =
      field === undefined
        ? [list]
        : (items.get(list) ?? []).map((item) => `${list}/${encodeURIComponent(String(item[field]))}${rest}`);
    const mayBeRefused = (get?.parameters ?? []).some((each) => each.in === 'query' && each.required);
    for (const path of concrete) {
      for await (const { page, answer } of pages(api, path)) {
        if (answer.status >= 400 && !mayBeRefused)
          throw new Error(`GET ${page}: the API answered ${answer.status}: ${answer.text.slice(0, 300)}`);
        answers.push({ name: `GET ${page}`, bytes: Buffer.from(answer.text) });
        if (field === undefined) items.set(path, [...(items.get(path) ?? []), ...(answer.body.items ?? [])]);
      }
    }
  }
  return answers;
}

async function* pages(api: ControlPlaneApi, path: string): AsyncGenerator<{ page: string; answer: ApiAnswer }> {
  for (let page = path; ;) {
    const answer = await api.ask('GET', page);
    yield { page, answer };
    const { nextCursor, next, items } = answer.body;
    if (nextCursor !== undefined) page = `${path}?cursor=${encodeURIComponent(nextCursor)}`;
    else if (next !== undefined && items?.length > 0) page = `${path}?after=${encodeURIComponent(next)}`;
    else return;
  }
}
