import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inclusionProof, leafHash, merkleRoot, rootFromProof } from './merkle.ts';

const leaves = (size: number): Buffer[] => Array.from({ length: size }, (_, i) => leafHash(i, `leaf ${i}`));
const sizes = fc.integer({ min: 1, max: 40 });

describe('a Merkle tree', () => {
  it('has the leaf itself as the root of one', () => {
    expect(merkleRoot(leaves(1))).toEqual(leafHash(0, 'leaf 0'));
  });

  it('splits at the largest power of two, and hashes leaves and nodes under prefixes of their own', () => {
    const [a, b, c] = leaves(3) as [Buffer, Buffer, Buffer];
    const node = (...parts: Buffer[]): Buffer =>
      createHash('sha256')
        .update(Buffer.concat([Buffer.of(1), ...parts]))
        .digest();
    expect(merkleRoot([a, b, c])).toEqual(node(node(a, b), c));
    expect(leafHash(258, 'x')).toEqual(
      createHash('sha256')
        .update(Buffer.concat([Buffer.of(0), Buffer.from('0000000000000102', 'hex'), Buffer.from('x')]))
        .digest(),
    );
  });

  it('has another root when any leaf is changed, removed, doubled or moved', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (size, one, other) => {
        const tree = leaves(size);
        const root = merkleRoot(tree);
        const i = one % size;
        const j = other % size;
        expect(merkleRoot(tree.with(i, leafHash(i, 'changed')))).not.toEqual(root);
        expect(merkleRoot([...tree, tree[i]!])).not.toEqual(root);
        if (size > 1) expect(merkleRoot(tree.toSpliced(i, 1))).not.toEqual(root);
        if (i !== j) expect(merkleRoot(tree.with(i, tree[j]!).with(j, tree[i]!))).not.toEqual(root);
      }),
    );
  });

  it('proves each leaf, at its place only', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (size, one, other) => {
        const tree = leaves(size);
        const root = merkleRoot(tree);
        const i = one % size;
        const j = other % (size + 2);
        const proof = inclusionProof(tree, i);
        expect(rootFromProof(tree[i]!, i, size, proof)).toEqual(root);
        expect(rootFromProof(leafHash(i, 'another'), i, size, proof)).not.toEqual(root);
        if (j !== i) expect(rootFromProof(tree[i]!, j, size, proof) ?? Buffer.alloc(0)).not.toEqual(root);
      }),
    );
  });

  it('has no root without leaves and no proof of a leaf that is not there', () => {
    expect(() => merkleRoot([])).toThrow(RangeError);
    expect(() => inclusionProof(leaves(3), 3)).toThrow(RangeError);
    expect(rootFromProof(leafHash(0, 'x'), 3, 3, [])).toBeUndefined();
    expect(rootFromProof(leafHash(0, 'x'), 0, 3, [leafHash(1, 'y')])).toBeUndefined();
  });
});
