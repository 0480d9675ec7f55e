/** Half of a surrogate pair or U+0000 as `JSON.stringify` writes them: it escapes no other surrogate, and a backslash before it would be doubled. */
const ESCAPED = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/** Whether PostgreSQL's `text` keeps it as it is: neither U+0000 nor half of a surrogate pair. A name that it does not keep is nobody's name. */
export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** The same of every text and key in JSON that `JSON.stringify` wrote. */
export const isStorableJson = (json: string): boolean =>
  !((json.includes('\\u0000') || json.includes('\\ud')) && ESCAPED.test(json));

/** Levels of objects and lists in one JSON value; far beyond any of ours, and far from the end of anybody's stack. */
export const DEEPEST = 500;

/** Whether JSON as `JSON.stringify` wrote it has `levels` of objects and lists in one another at most. */
export function isShallow(json: string, levels: number): boolean {
  if (json.length <= 2 * levels || brackets(json, levels) <= levels) return true;
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const letter = json[at];
    if (letter === '"') at = endOfText(json, at);
    else if (letter === '{' || letter === '[') {
      if (++depth > levels) return false;
    } else if (letter === '}' || letter === ']') depth -= 1;
  }
  return true;
}

/** Opening brackets, also those in texts, counted until there are more than `enough`: nearly every value has fewer. */
function brackets(json: string, enough: number): number {
  let count = 0;
  for (const bracket of '{[')
    for (let at = json.indexOf(bracket); at >= 0 && count <= enough; at = json.indexOf(bracket, at + 1)) count += 1;
  return count;
}

/** Where the text that begins at `from` ends. */
function endOfText(json: string, from: number): number {
  let at = from + 1;
  for (; json[at] !== '"' && at < json.length; at++) if (json[at] === '\\') at += 1;
  return at;
}
