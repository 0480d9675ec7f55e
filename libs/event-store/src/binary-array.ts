/**
 * One-dimensional arrays in PostgreSQL's binary format, as `pg` sends a Buffer. As text every element would be quoted and escaped here, and
 * read letter by letter there: for events that is a good part of what an append costs.
 */

/** Numbers of the element types; the same in every PostgreSQL. */
const TYPE = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, uuid: 2950, jsonb: 3802 } as const;
const HEAD_BYTES = 20;
const NULL_LENGTH = -1;
/** Every jsonb begins with it. */
const JSONB_VERSION = 1;

export const textArray = (values: readonly (string | null)[]): Buffer => ofTexts(TYPE.text, values, 0);
/** Elements are JSON texts. */
export const jsonbArray = (texts: readonly string[]): Buffer => ofTexts(TYPE.jsonb, texts, 1);
export const int2Array = (values: readonly number[]): Buffer =>
  ofFixed(TYPE.int2, values, 2, (bytes, value, at) => bytes.writeInt16BE(value, at));
export const int4Array = (values: readonly number[]): Buffer =>
  ofFixed(TYPE.int4, values, 4, (bytes, value, at) => bytes.writeInt32BE(value, at));
export const int8Array = (values: readonly number[]): Buffer =>
  ofFixed(TYPE.int8, values, 8, (bytes, value, at) => bytes.writeBigInt64BE(BigInt(value), at));
export const boolArray = (values: readonly boolean[]): Buffer =>
  ofFixed(TYPE.bool, values, 1, (bytes, value, at) => bytes.writeUInt8(value ? 1 : 0, at));
/** Elements are UUIDs as text, of which the caller knows that they are. */
export const uuidArray = (values: readonly string[]): Buffer =>
  ofFixed(TYPE.uuid, values, 16, (bytes, value, at) => bytes.write(value.replaceAll('-', ''), at, 16, 'hex'));
export const byteaArray = (values: readonly Uint8Array[]): Buffer => {
  const bytes = begin(
    TYPE.bytea,
    values.length,
    false,
    values.reduce((sum, value) => sum + 4 + value.byteLength, 0),
  );
  let at = HEAD_BYTES;
  for (const value of values) {
    at = bytes.writeInt32BE(value.byteLength, at);
    bytes.set(value, at);
    at += value.byteLength;
  }
  return bytes;
};

/** `versioned`: bytes in front of each text. */
function ofTexts(type: number, values: readonly (string | null)[], versioned: 0 | 1): Buffer {
  let hasNull = false;
  let size = 0;
  const lengths: number[] = [];
  for (const value of values) {
    const length = value === null ? NULL_LENGTH : Buffer.byteLength(value, 'utf8') + versioned;
    if (value === null) hasNull = true;
    size += 4 + Math.max(0, length);
    lengths.push(length);
  }
  const bytes = begin(type, values.length, hasNull, size);
  let at = HEAD_BYTES;
  values.forEach((value, index) => {
    at = bytes.writeInt32BE(lengths[index]!, at);
    if (value === null) return;
    if (versioned) at = bytes.writeUInt8(JSONB_VERSION, at);
    at += bytes.write(value, at, 'utf8');
  });
  return bytes;
}

function ofFixed<T>(
  type: number,
  values: readonly T[],
  length: number,
  write: (bytes: Buffer, value: T, at: number) => unknown,
): Buffer {
  const bytes = begin(type, values.length, false, values.length * (4 + length));
  let at = HEAD_BYTES;
  for (const value of values) {
    bytes.writeInt32BE(length, at);
    write(bytes, value, at + 4);
    at += 4 + length;
  }
  return bytes;
}

/** A buffer with the array's head written: dimensions, whether there are nulls, type; length and first index of the dimension. */
function begin(type: number, count: number, hasNull: boolean, size: number): Buffer {
  if (count === 0) {
    const empty = Buffer.alloc(12);
    empty.writeInt32BE(type, 8);
    return empty;
  }
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + size);
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(hasNull ? 1 : 0, 4);
  bytes.writeInt32BE(type, 8);
  bytes.writeInt32BE(count, 12);
  bytes.writeInt32BE(1, 16);
  return bytes;
}
