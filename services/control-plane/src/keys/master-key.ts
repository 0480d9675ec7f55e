import { createCipheriv, createDecipheriv, createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { drawRandomBytes } from '#libs/runtime';

const VERSION = 1;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES;

/** The bytes were wrapped by another master key, for another purpose, or were changed. */
export class CannotUnwrap extends Error {
  override readonly name = 'CannotUnwrap';
}

/**
 * The key outside PostgreSQL under which every data key inside it is wrapped (AES-256-GCM). `purpose` says what the bytes are, for example
 * `envelope-key:<cluster>:<kid>`; it is authenticated, so that one row's key cannot be put into another row.
 */
export class MasterKey {
  /** Names the key without telling anything of it; kept beside what it wrapped. */
  readonly id: string;
  private readonly key: KeyObject;
  private readonly idBytes: Buffer;

  constructor(key: Uint8Array) {
    if (key.length !== 32) throw new Error(`a master key has 32 bytes, this one ${key.length}`);
    // Bare bytes cost Node 20 µs more at every use.
    this.key = createSecretKey(key);
    this.idBytes = createHash('sha256')
      .update('eci-fleet master key id')
      .update(key)
      .digest()
      .subarray(0, KEY_ID_BYTES);
    this.id = this.idBytes.toString('hex');
  }

  /** Another key of 32 bytes, one for each purpose, that tells nothing of this one. */
  derived(purpose: string): KeyObject {
    return createSecretKey(Buffer.from(hkdfSync('sha256', this.key, '', `eci-fleet ${purpose}`, 32)));
  }

  wrap(plain: Uint8Array, purpose: string): Uint8Array {
    const nonce = drawRandomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    cipher.setAAD(Buffer.from(purpose, 'utf8'));
    const body = cipher.update(plain);
    // The end before the tag: only then there is one.
    const end = cipher.final();
    return Buffer.concat([Buffer.of(VERSION), this.idBytes, nonce, body, end, cipher.getAuthTag()]);
  }

  /** Throws {@link CannotUnwrap}. */
  unwrap(wrapped: Uint8Array, purpose: string): Uint8Array {
    const bytes = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.byteLength);
    if (bytes.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES || bytes[0] !== VERSION)
      throw new CannotUnwrap(`${purpose}: these are not wrapped bytes`);
    if (!bytes.subarray(1, HEAD_BYTES).equals(this.idBytes)) {
      throw new CannotUnwrap(
        `${purpose}: wrapped by master key ${bytes.subarray(1, HEAD_BYTES).toString('hex')}, this process has ${this.id}`,
      );
    }
    const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES));
    decipher.setAAD(Buffer.from(purpose, 'utf8'));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    try {
      return new Uint8Array(
        Buffer.concat([
          decipher.update(bytes.subarray(HEAD_BYTES + NONCE_BYTES, bytes.length - TAG_BYTES)),
          decipher.final(),
        ]),
      );
    } catch (cause) {
      throw new CannotUnwrap(`${purpose}: the bytes were changed or belong elsewhere`, { cause });
    }
  }
}
