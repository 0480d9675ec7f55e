import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { drawRandomBytes } from '#libs/runtime';
import type { MasterKey } from './master-key.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** A data key as it rests beside its stream. */
export interface WrappedKey {
  readonly wrappedKey: Uint8Array;
  /** Names the master key that wrapped it. */
  readonly keyId: string;
}

/** Sealed bytes that do not open: another stream's, another purpose's, or changed. */
export class CannotOpen extends Error {
  override readonly name = 'CannotOpen';
}

/** The data key of one stream, in memory only. What it seals for one purpose opens for no other. */
export class StreamKey {
  readonly wrapped: WrappedKey;
  private readonly streamId: string;
  private readonly key: KeyObject;

  constructor(streamId: string, key: Uint8Array, wrapped: WrappedKey) {
    this.streamId = streamId;
    // Bare bytes cost Node 10 to 20 µs more at every use, several times what the cipher itself takes.
    this.key = createSecretKey(key);
    this.wrapped = wrapped;
  }

  /** AES-256-GCM over the value's JSON. */
  seal(value: unknown, purpose: string): Buffer {
    const nonce = drawRandomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    cipher.setAAD(this.bound(purpose));
    const body = cipher.update(JSON.stringify(value), 'utf8');
    // The end before the tag: only then there is one.
    const end = cipher.final();
    return Buffer.concat([nonce, body, end, cipher.getAuthTag()]);
  }

  /** Throws {@link CannotOpen}, which tells nothing of the content. */
  open(sealed: Uint8Array, purpose: string): unknown {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(this.bound(purpose));
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      const body = bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES);
      return JSON.parse(Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')) as unknown;
    } catch {
      throw new CannotOpen(`${this.streamId}: what is sealed for ${purpose} does not open`);
    }
  }

  /**
   * HMAC-SHA-256 of a value, base64url. Keyed, so that a weak secret cannot be guessed from its digest; after the stream has closed nobody has
   * the key.
   */
  digest(name: string, value: string): string {
    return createHmac('sha256', this.key).update(`digest\0${name}\0${value}`).digest('base64url');
  }

  private bound(purpose: string): Buffer {
    return Buffer.from(`${this.streamId}\n${purpose}`, 'utf8');
  }
}

/**
 * `stream-key`: of secrets, destroyed when the stream has no more to do. `display-key`: of what people may look at until some time after the pod is
 * gone.
 */
type KeyKind = 'stream-key' | 'display-key';

/** Makes and unlocks the keys of one kind that streams have: 256 random bits each, wrapped by the master key. */
export class StreamVault {
  private readonly masterKey: MasterKey;
  private readonly kind: KeyKind;

  constructor(masterKey: MasterKey, kind: KeyKind = 'stream-key') {
    this.masterKey = masterKey;
    this.kind = kind;
  }

  create(streamId: string): StreamKey {
    const key = drawRandomBytes(KEY_BYTES);
    return new StreamKey(streamId, key, {
      wrappedKey: this.masterKey.wrap(key, this.purposeOf(streamId)),
      keyId: this.masterKey.id,
    });
  }

  /** Throws CannotUnwrap when another master key wrapped it. */
  unlock(streamId: string, wrapped: WrappedKey): StreamKey {
    return new StreamKey(streamId, this.masterKey.unwrap(wrapped.wrappedKey, this.purposeOf(streamId)), {
      wrappedKey: wrapped.wrappedKey,
      keyId: wrapped.keyId,
    });
  }

  private purposeOf(streamId: string): string {
    return `${this.kind}:${streamId}`;
  }
}

/** Purposes of what is sealed under a stream's data key. */
export const INTENT = 'intent';
export const createPurpose = (attempt: number): string => `create/${attempt}`;
/** Purpose of what is hidden of one event, sealed under a stream's display key. */
export const hiddenPurpose = (eventId: string): string => `hidden/${eventId.toLowerCase()}`;
