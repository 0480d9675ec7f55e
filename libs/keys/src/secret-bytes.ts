import { guessesInBits } from './guesses.ts';
import { isKnownSecret } from './known-secrets.ts';

/** 32 random bytes have about 30 different ones; fewer than this come once in 10^15 keys. */
const LEAST_DIFFERENT = 16;
/** As many equal bytes in a row come once in 10^15 keys. */
const LONGEST_RUN = 8;
const LEAST_BITS_OF_TEXT = 80;

/** What gives the bytes of a secret of 32 bytes or more away, to stand behind "the key"; undefined: nothing. */
export function secretBytesFault(bytes: Uint8Array): string | undefined {
  if (bytes.every((byte) => byte === 0)) return 'is all zeros';
  if (isCounting(bytes)) return 'is a sequence that counts';
  if (repeatsEarly(bytes)) return 'is one part repeated';
  if (longestRun(bytes) >= LONGEST_RUN) return 'holds one byte many times in a row';
  if (new Set(bytes).size < LEAST_DIFFERENT) return 'has too few different bytes to be random';
  if (isText(bytes)) return 'is text and not random bytes';
  return isKnownSecret(bytes) ? 'is published as an example' : undefined;
}

/** The same of the text that encodes them (base64, base64url): words stay words in it, though their bytes look like any others. */
export function secretTextFault(text: string, bytes: Uint8Array): string | undefined {
  const bare = text.replace(/=+$/, '');
  // One letter of 64 is a hexadecimal digit in 22 cases: 40 of them in a row are no accident.
  if (/^([0-9a-f]{40,}|[0-9A-F]{40,})$/.test(bare)) return 'is written in hexadecimal digits, not in base64';
  const weakness = secretBytesFault(bytes);
  if (weakness !== undefined) return weakness;
  // 43 characters of base64 are without capitals, or without small letters, once in 10^9 keys; words are so as a rule.
  const wordly = bare.length >= 43 && (!/[A-Z]/.test(bare) || !/[a-z]/.test(bare));
  return wordly || guessesInBits(bare) < LEAST_BITS_OF_TEXT ? 'is made of words, repeats or sequences' : undefined;
}

/** In words of 1, 2, 4 or 8 bytes, of either order, each is as far from the one before it as that from its own. */
function isCounting(bytes: Uint8Array): boolean {
  return [1, 2, 4, 8].some((size) =>
    [bytes, Uint8Array.from(bytes).reverse()].some((ordered) =>
      hasOneStep(wordsOf(ordered, size), 2n ** BigInt(8 * size)),
    ),
  );
}

function hasOneStep(words: readonly bigint[], modulus: bigint): boolean {
  const step = (i: number): bigint => (words[i]! - words[i - 1]! + modulus) % modulus;
  // Three words and two equal steps could be an accident of short words only.
  if (words.length < 4) return false;
  return words.slice(2).every((_, i) => step(i + 2) === step(1));
}

function wordsOf(bytes: Uint8Array, size: number): bigint[] {
  const words: bigint[] = [];
  for (let at = 0; at + size <= bytes.length; at += size)
    words.push(bytes.subarray(at, at + size).reduce((word, byte) => (word << 8n) | BigInt(byte), 0n));
  return words;
}

function repeatsEarly(bytes: Uint8Array): boolean {
  for (let period = 1; period <= bytes.length / 2; period++)
    if (bytes.every((byte, i) => byte === bytes[i % period])) return true;
  return false;
}

function longestRun(bytes: Uint8Array): number {
  let longest = 0;
  let run = 0;
  for (let i = 0; i < bytes.length; i++) {
    run = i > 0 && bytes[i] === bytes[i - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  }
  return longest;
}

/** Of any language; random bytes are so once in 10^11 keys. Zeros at the end fill a text that was too short. */
function isText(bytes: Uint8Array): boolean {
  const padding = [...bytes].reverse().findIndex((byte) => byte !== 0);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(
      bytes.subarray(0, bytes.length - Math.max(0, padding)),
    );
    return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text);
  } catch {
    return false;
  }
}
