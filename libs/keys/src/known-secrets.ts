import { createHash } from 'node:crypto';

/** Private keys that standards print as examples, in base64url: they are in many a manual and in lists of those who guess. */
const EXAMPLES = new Set([
  'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI', // RFC 7515 A.3, EC P-256
  '870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE', // RFC 7517 A.2, EC P-256
  '0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo', // RFC 7518 C, EC P-256 of Alice
  'VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw', // RFC 7518 C, EC P-256 of Bob
  'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', // RFC 8037 A, Ed25519; RFC 8032, test 1
  'TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oztU-4pp_s', // RFC 8032, test 2
  'xaqN9D-fg3vt0QvdMy3sWbbTHUInwlLhdcgtXksHRiE', // RFC 8032, test 3
]);

/** Whoever hashes a word has a secret of one word. */
const WORDS = [
  '',
  '\0',
  'a',
  '0',
  '1',
  'test',
  'secret',
  'key',
  'password',
  'passphrase',
  'changeme',
  'change-me',
  'admin',
];
const OF_US = ['eci-fleet', 'fleet', 'master', 'masterkey', 'master-key', 'demo', 'example', 'hello', 'foo', 'bar'];
const HASHED = new Set(
  [...WORDS, ...OF_US]
    .flatMap((word) => [word, `${word}\n`])
    .map((word) => createHash('sha256').update(word).digest('base64url')),
);

/** Whether the bytes stand in print as a key, or are the hash of a plain word. */
export function isKnownSecret(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString('base64url');
  return EXAMPLES.has(text) || HASHED.has(text);
}
