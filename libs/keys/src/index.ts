/**
 * Whether a secret is one: keys and tokens that a guess, a list of known ones or a slip of the hand leads to are told from random ones.
 *
 * Hides: what gives a weak key away. Guarantees: a random key passes (fewer than one in 10^9 does not), and no answer holds a part of what was
 * looked at. Does not guarantee that what passes is random: a key that somebody else has looks as good as one that nobody has.
 */
export { guessesInBits } from './guesses.ts';
export { pemKeyFault } from './pem-key.ts';
export { privateJwkFault } from './private-jwk.ts';
export { secretTextFault } from './secret-bytes.ts';
