import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { ClearPart, Envelope, MAX_ENVELOPE_BYTES, SealedRunPod } from '#libs/contracts';
import type { ZodError } from 'zod';

/** An intent that does not fit: the pod's ConfigMaps, Secrets and env are too large together. */
export class EnvelopeTooLarge extends Error {
  /** Bytes. */
  readonly size: number;
  readonly limit: number;

  constructor(size: number) {
    super(
      `the intent has ${size} bytes, over the limit of ${MAX_ENVELOPE_BYTES}: move large ConfigMaps or Secrets to a volume`,
    );
    this.name = 'EnvelopeTooLarge';
    this.size = size;
    this.limit = MAX_ENVELOPE_BYTES;
  }
}

export interface EnvelopeKey {
  readonly kid: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

type OpenedEnvelope =
  | {
      readonly ok: true;
      readonly clear: ClearPart;
      readonly sealed: unknown;
      /**
       * Every text in both parts can be kept: neither has an escape by which U+0000 or half of a surrogate pair could have come in, which UTF-8
       * itself cannot bring. False says nothing.
       */
      readonly storable: boolean;
    }
  | RefusedEnvelope;

interface RefusedEnvelope {
  readonly ok: false;
  /** For people and the quarantine; never holds a sealed value. */
  readonly reason: string;
  /** Its seal fits a key that `keyOf` knew: whoever holds that key has sent it. */
  readonly proven: boolean;
  /** The clear part's text as it came; when not `proven`, not proven to be what was sent. */
  readonly clearText?: string;
}

/** Its seal fits: who sent it is proven, and nobody has looked yet at what it says. */
export interface UnsealedEnvelope {
  readonly ok: true;
  /** Reads what it says, and checks it: for a large one that costs ten times what the seal does. Never throws. */
  readonly read: () => OpenedEnvelope;
}

/** The 256 bits that open an envelope. Bare bytes cost Node several µs more at each use. */
export type OpeningKey = KeyObject | Uint8Array;

/** The key of that name, of the cluster that the message's key names, and of no other: that binds an envelope to its cluster. */
type KeyOf = (kid: string) => OpeningKey | undefined | Promise<OpeningKey | undefined>;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const base64url = (bytes: Uint8Array | string): string => Buffer.from(bytes as Uint8Array).toString('base64url');

/**
 * Input of the cipher's authentication, as RFC 7516 §5.1 has it for a JWE with `aad`: the protected header, a dot, and the additional data in
 * base64url. The additional data is the Kafka key, a line feed and the clear text, so a sealed part fits one key and one clear part only.
 */
const authenticated = (header: string, messageKey: string, clearText: string): Uint8Array =>
  utf8.encode(`${header}.${base64url(`${messageKey}\n${clearText}`)}`);

/**
 * Seals an intent for one cluster's topic key. Uses node:crypto in the shape of a flattened JWE (`dir`, A256GCM): any JOSE library opens it
 * when it is given `aad`. A fresh 96-bit nonce for each call; with a new key every day far below the bound for random nonces.
 */
// A promise although nothing here waits: a key may later live in a device or a service.
export async function sealEnvelope(intent: {
  readonly clear: ClearPart;
  readonly sealed: unknown;
  readonly messageKey: string;
  readonly key: EnvelopeKey;
}): Promise<Uint8Array> {
  const { clear, sealed, messageKey, key } = intent;
  const clearText = JSON.stringify(clear);
  const header = base64url(JSON.stringify({ alg: 'dir', enc: 'A256GCM', kid: key.kid }));
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key.key), iv);
  cipher.setAAD(authenticated(header, messageKey, clearText));
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(sealed ?? {}), 'utf8'), cipher.final()]);
  const envelope: Envelope = {
    clear: clearText,
    jwe: {
      protected: header,
      iv: base64url(iv),
      ciphertext: base64url(ciphertext),
      tag: base64url(cipher.getAuthTag()),
    },
  };
  const bytes = utf8.encode(JSON.stringify(envelope));
  if (bytes.byteLength > MAX_ENVELOPE_BYTES) throw new EnvelopeTooLarge(bytes.byteLength);
  return bytes;
}

/** Opens what `sealEnvelope` made. Rejects only as `keyOf` does, whatever the message holds. */
export async function openEnvelope(
  value: Uint8Array | null,
  messageKey: string,
  keyOf: KeyOf,
): Promise<OpenedEnvelope> {
  const unsealed = await unsealEnvelope(value, messageKey, keyOf);
  return unsealed.ok ? unsealed.read() : unsealed;
}

/** The first half of `openEnvelope`: the seal, which proves who sent it and that its message key, such as a pod's UID in it, is what he said. */
export async function unsealEnvelope(
  value: Uint8Array | null,
  messageKey: string,
  keyOf: KeyOf,
): Promise<UnsealedEnvelope | RefusedEnvelope> {
  if (value === null) return { ok: false, proven: false, reason: 'the message has no value' };
  if (value.byteLength > MAX_ENVELOPE_BYTES) {
    const reason = `the envelope has ${value.byteLength} bytes, over the limit of ${MAX_ENVELOPE_BYTES}`;
    return { ok: false, proven: false, reason };
  }
  const json = parseJson(value);
  if (!json.ok) return { ok: false, proven: false, reason: 'the envelope is not JSON in UTF-8' };
  const parsed = Envelope.safeParse(json.value);
  if (!parsed.success)
    return { ok: false, proven: false, reason: `the envelope breaks its schema: ${where(parsed.error)}` };
  const { clear: clearText, jwe } = parsed.data;
  const refuse = (reason: string): RefusedEnvelope => ({ ok: false, proven: false, reason, clearText });

  const header = parseHeader(jwe.protected);
  if (typeof header === 'string') return refuse(header);
  const key = await keyOf(header.kid);
  if (!key)
    return refuse(
      `no key ${JSON.stringify(header.kid.slice(0, 64))} of this cluster is known (expired, revoked or of another cluster)`,
    );
  const plaintext = decrypt(jwe, key, authenticated(jwe.protected, messageKey, clearText));
  if (!plaintext) return refuse('the seal does not fit: another key, another message key, or changed bytes');
  return { ok: true, read: () => readContents(clearText, plaintext, messageKey) };
}

function readContents(clearText: string, plaintext: Uint8Array, messageKey: string): OpenedEnvelope {
  const refuse = (reason: string): OpenedEnvelope => ({ ok: false, proven: true, reason, clearText });
  const sealedText = textOf(plaintext);
  const sealed = parseText(sealedText);
  if (!sealed.ok) return refuse('the sealed part is not JSON in UTF-8');
  const wellFormed = clearText.toWellFormed();
  const clearJson = parseText(wellFormed);
  if (!clearJson.ok) return refuse('the clear part is not JSON');
  const clear = ClearPart.safeParse(clearJson.value);
  if (!clear.success) return refuse(`the clear part breaks its schema: ${where(clear.error)}`);
  const misplaced = keyFault(clear.data, messageKey);
  if (misplaced) return refuse(misplaced);
  const storable = !wellFormed.includes('\\u') && !sealedText!.includes('\\u');
  if (clear.data.body.kind === 'RunPod') {
    const secrets = SealedRunPod.safeParse(sealed.value);
    if (!secrets.success) return refuse(`the sealed part breaks its schema: ${where(secrets.error)}`);
    if ((clear.data.schemaVersion === 2) !== (secrets.data.pod !== undefined))
      return refuse('the sealed part breaks its schema: the pod is sealed in schema version 2, and in no other');
    return { ok: true, clear: clear.data, sealed: secrets.data, storable };
  }
  return { ok: true, clear: clear.data, sealed: sealed.value, storable };
}

function keyFault({ clusterId, body }: ClearPart, messageKey: string): string | undefined {
  const subject = body.kind === 'RunPod' ? body.pod.uid : body.kind === 'StopPod' ? body.uid : 'inventory';
  const expected = `${clusterId}/${subject}`;
  if (messageKey === expected) return undefined;
  return `the message's key is ${JSON.stringify(messageKey.slice(0, 200))}, its content says ${JSON.stringify(expected)}`;
}

function parseHeader(text: string): { readonly kid: string } | string {
  const header = parseJson(Buffer.from(text, 'base64url'));
  if (!header.ok || typeof header.value !== 'object' || header.value === null) return 'the JWE header is not JSON';
  const { alg, enc, kid, ...others } = header.value as Record<string, unknown>;
  if (alg !== 'dir' || enc !== 'A256GCM') return 'the JWE header must say alg "dir" and enc "A256GCM"';
  if (typeof kid !== 'string' || kid === '') return 'the JWE header names no key (kid)';
  // `crit`, `zip` and the like would change the meaning of the rest.
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `the JWE header has an unknown field ${JSON.stringify(unknown.slice(0, 40))}`;
  return { kid };
}

function decrypt(jwe: Envelope['jwe'], key: OpeningKey, aad: Uint8Array): Uint8Array | undefined {
  try {
    const keyObject = key instanceof Uint8Array ? createSecretKey(key) : key;
    const decipher = createDecipheriv('aes-256-gcm', keyObject, Buffer.from(jwe.iv, 'base64url'), {
      authTagLength: 16,
    });
    decipher.setAAD(aad);
    decipher.setAuthTag(Buffer.from(jwe.tag, 'base64url'));
    return Buffer.concat([decipher.update(Buffer.from(jwe.ciphertext, 'base64url')), decipher.final()]);
  } catch {
    // Which of the parts is wrong cannot be told, and is nobody's business.
    return undefined;
  }
}

type Json = { readonly ok: true; readonly value: unknown } | { readonly ok: false };

const parseJson = (bytes: Uint8Array): Json => parseText(textOf(bytes));

/** Undefined for what is no UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function parseText(text: string | undefined): Json {
  if (text === undefined) return { ok: false };
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false };
  }
}

/** Path and complaint of the first faults. Zod's messages name what was expected, never the value that came. */
function where(error: ZodError): string {
  const faults = error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.map(String).join('.') || '(root)'}: ${issue.message}`);
  const more = error.issues.length > 3 ? ` (and ${error.issues.length - 3} more)` : '';
  return faults.join('; ') + more;
}
