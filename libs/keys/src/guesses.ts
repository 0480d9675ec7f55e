/**
 * A low estimate of the guesses that a text takes, as a power of two: letters that stand together as in words count two bits each, other characters
 * as many as the kinds of characters make of them, and what repeats or goes on counting counts nothing.
 */
export function guessesInBits(token: string): number {
  const wordly = new Set<number>();
  for (const { index, 0: word } of token.matchAll(/[A-Z]?[a-z]{3,}|[A-Z]{4,}/g))
    for (let i = 0; i < word.length; i++) wordly.add(index + i);
  const each = bitsOfOne(token);
  let bits = 0;
  for (let i = 0; i < token.length; i++) {
    if (!isFollowing(token, i)) bits += wordly.has(i) ? Math.min(2, each) : each;
  }
  return bits;
}

function bitsOfOne(token: string): number {
  if (/^[0-9a-f-]+$/i.test(token)) return /^[0-9-]+$/.test(token) ? Math.log2(10) : 4;
  const kinds: readonly (readonly [RegExp, number])[] = [
    [/[a-z]/, 26],
    [/[A-Z]/, 26],
    [/[0-9]/, 10],
    [/[^a-zA-Z0-9]/, 12],
  ];
  return Math.log2(kinds.reduce((sum, [kind, size]) => sum + (kind.test(token) ? size : 0), 0));
}

/** It could be told from what stands before it: the same step as before (`aaa`, `123`), or three characters that were there already. */
function isFollowing(token: string, at: number): boolean {
  if (at < 2) return false;
  const code = (i: number): number => token.charCodeAt(i);
  const step = code(at) - code(at - 1);
  if (Math.abs(step) <= 1 && step === code(at - 1) - code(at - 2)) return true;
  return token.slice(0, at).includes(token.slice(at - 2, at + 1));
}
