import type { Haystack } from './canaries.ts';
import type { ApiAnswer, ControlPlaneApi } from './control-plane-api.ts';

/** Every answer that a GET of the API can give now: each path of its own description, each page, each item of each list. */
export async function wholeApi(api: ControlPlaneApi): Promise<Haystack[]> {
  const { body: description } = await api.ask('GET', '/api/docs-json');
  const paths = Object.entries(description.paths as Record<string, Record<string, unknown>>)
    .filter(([, operations]) => 'get' in operations)
    .map(([path]) => path)
    // Lists before what is below them.
    .sort((a, b) => a.length - b.length);
  const answers: Haystack[] = [];
  const ids = new Map<string, string[]>();
  for (const template of paths) {
    const [list, rest] = template.split('/{id}');
    const concrete =
      rest === undefined ? [list!] : (ids.get(list!) ?? []).map((id) => `${list}/${encodeURIComponent(id)}${rest}`);
    for (const path of concrete) {
      for await (const { page, answer } of pages(api, path)) {
        if (answer.status >= 400)
          throw new Error(`GET ${page}: the API answered ${answer.status}: ${answer.text.slice(0, 300)}`);
        answers.push({ name: `GET ${page}`, bytes: Buffer.from(answer.text) });
        const found = (answer.body.items ?? []).map((item: { id?: string }) => item.id).filter(Boolean);
        if (rest === undefined) ids.set(path, [...(ids.get(path) ?? []), ...found]);
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
