/**
 * `$(VAR)` and `$$` as Kubernetes expands them (its documentation of `env`, `command` and `args`): a known variable is replaced, an unknown one
 * stays as written, `$$` is a single `$`, any other `$` stays. What is put in is not looked at again.
 */
export function expand(input: string, valueOf: (name: string) => string | undefined): string {
  let result = '';
  let cursor = 0;
  while (cursor < input.length) {
    const dollar = input.indexOf('$', cursor);
    if (dollar < 0 || dollar === input.length - 1) return result + input.slice(cursor);
    result += input.slice(cursor, dollar);
    const next = input[dollar + 1]!;
    const close = next === '(' ? input.indexOf(')', dollar + 2) : -1;
    if (next === '$') {
      result += '$';
      cursor = dollar + 2;
    } else if (close >= 0) {
      const name = input.slice(dollar + 2, close);
      result += valueOf(name) ?? `$(${name})`;
      cursor = close + 1;
    } else {
      result += `$${next}`;
      cursor = dollar + 2;
    }
  }
  return result;
}
