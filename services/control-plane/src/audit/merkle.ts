import { createHash } from 'node:crypto';

/** A Merkle tree in the shape of RFC 6962: every level splits at the largest power of two below its size. Leaves and nodes hash under prefixes of their own. */

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/** SHA-256 over 0x00, the place in the batch (from 0, eight bytes, big-endian) and the text. */
export function leafHash(index: number, text: string): Buffer {
  const place = Buffer.alloc(8);
  place.writeBigUInt64BE(BigInt(index));
  return createHash('sha256').update(LEAF).update(place).update(text, 'utf8').digest();
}

/** SHA-256 over 0x01 and the two below. */
function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash('sha256').update(NODE).update(left).update(right).digest();
}

/** @throws RangeError without leaves: there is no seal over nothing. */
export function merkleRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) throw new RangeError('a tree needs a leaf');
  return rootOf(leaves, 0, leaves.length);
}

/** What somebody needs beside one leaf to compute the root: the siblings, from the leaf upwards. */
export function inclusionProof(leaves: readonly Uint8Array[], index: number): readonly Buffer[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
    throw new RangeError(`no leaf ${index} in a tree of ${leaves.length}`);
  const path: Buffer[] = [];
  let [from, to] = [0, leaves.length];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      path.push(rootOf(leaves, middle, to));
      to = middle;
    } else {
      path.push(rootOf(leaves, from, middle));
      from = middle;
    }
  }
  return path.reverse();
}

/** The root that a leaf and its proof lead to; undefined when a proof of this length cannot belong to that place. */
export function rootFromProof(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): Buffer | undefined {
  if (!Number.isInteger(index) || index < 0 || index >= size) return undefined;
  // On which side the leaf lies, from the root downwards.
  const right: boolean[] = [];
  let [at, left] = [index, size];
  while (left > 1) {
    const split = splitOf(left);
    const isRight = at >= split;
    right.push(isRight);
    at -= isRight ? split : 0;
    left = isRight ? left - split : split;
  }
  if (right.length !== proof.length) return undefined;
  return proof.reduce<Buffer>(
    (hash, sibling, i) => (right[right.length - 1 - i] ? nodeHash(sibling, hash) : nodeHash(hash, sibling)),
    Buffer.from(leaf),
  );
}

function rootOf(leaves: readonly Uint8Array[], from: number, to: number): Buffer {
  if (to - from === 1) return Buffer.from(leaves[from]!);
  const middle = from + splitOf(to - from);
  return nodeHash(rootOf(leaves, from, middle), rootOf(leaves, middle, to));
}

/** Largest power of two below `size`. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}
