/** Whether an admin token can be guessed. */
import { guessesInBits } from '#libs/keys';

const LEAST_BITS = 80;
const HOW = 'make one with `openssl rand -base64 32`';

/** What is wrong with an admin token, without a part of it; undefined: nothing. */
export function adminTokenFault(token: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(token))
    return `holds what no Authorization header can carry: use visible ASCII characters without spaces; ${HOW}`;
  if (token.length > 1_000) return `has more than 1,000 characters: ${HOW}`;
  return guessesInBits(token) < LEAST_BITS
    ? `can be guessed: it is too short, or made of words, repeats or sequences; ${HOW}`
    : undefined;
}
