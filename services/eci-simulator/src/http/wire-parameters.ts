/** Parameters of a request: from the query, and from the body when it is a form. */
export function wireParameters(query: string, body: string, contentType: string): Map<string, string> {
  const parameters = new Map<string, string>();
  read(query, parameters);
  if (contentType.startsWith('application/x-www-form-urlencoded')) read(body, parameters);
  return parameters;
}

function read(text: string, into: Map<string, string>): void {
  if (text === '') return;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    into.set(decode(name), equals < 0 ? '' : decode(pair.slice(equals + 1)));
  }
}

/** Throws URIError for a broken escape. */
function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  return spaced.includes('%') ? decodeURIComponent(spaced) : spaced;
}
