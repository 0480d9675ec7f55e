/** For specs: what a superuser does who knows every format and has no key. */
import type pg from 'pg';
import { digestOf, type EventMetadata, type JsonObject } from '#libs/event-store';
import { makeSeal, type FullSeal, type SealSigner } from '../../src/audit/seal.ts';
import { entriesText, RECORDED_AT } from '../../src/audit/seal-store.ts';

/** Every digest as an honest appender would have computed it for what is stored now. */
export async function recomputeDigests(db: pg.Client): Promise<void> {
  const { rows } = await db.query<Record<string, unknown>>('select * from es.event');
  for (const row of rows) {
    const digest = digestOf(row['stream_id'] as string, Number(row['version']), {
      eventId: row['event_id'] as string,
      type: row['type'] as string,
      schemaVersion: row['schema_version'] as number,
      data: row['data'] as JsonObject,
      metadata: row['metadata'] as EventMetadata,
    });
    await db.query('update es.event set digest = $3 where stream_id = $1 and version = $2', [
      row['stream_id'],
      row['version'],
      digest,
    ]);
  }
}

/** Every seal anew over what is stored now, with the same bounds, signed by `signer`. */
export async function recomputeSeals(
  db: pg.Client,
  signer: SealSigner | undefined | ((sequence: number) => SealSigner | undefined),
  through = Infinity,
): Promise<void> {
  const old = (
    await db.query<{
      sequence: string;
      from_transaction_id: string;
      from_position: string;
      through_transaction_id: string;
      through_position: string;
      generation: number;
      sealed_at: Date;
    }>('select * from es.seal order by sequence')
  ).rows;
  await db.query('delete from es.seal');
  let previous: FullSeal | undefined;
  for (const row of old) {
    if (Number(row.sequence) > through) return;
    const { rows } = await db.query<{
      stream_id: string;
      version: string;
      type: string;
      recorded_at: string;
      digest: string;
    }>(
      `select e.stream_id, e.version, e.type, ${RECORDED_AT} as recorded_at, encode(e.digest, 'hex') as digest from es.event e
        where (e.transaction_id, e.position) > ($1, $2) and (e.transaction_id, e.position) <= ($3, $4) order by e.transaction_id, e.position`,
      [row.from_transaction_id, row.from_position, row.through_transaction_id, row.through_position],
    );
    const cursor = (transactionId: string, position: string) => ({
      generation: row.generation,
      transactionId,
      position,
    });
    const seal: FullSeal = makeSeal({
      fleet: 'eci-fleet',
      previous,
      from: cursor(row.from_transaction_id, row.from_position),
      through: cursor(row.through_transaction_id, row.through_position),
      entries: rows.map((e) => ({
        streamId: e.stream_id,
        version: Number(e.version),
        type: e.type,
        recordedAt: e.recorded_at,
        digest: e.digest,
      })),
      sealedAt: row.sealed_at.toISOString(),
      signer: typeof signer === 'function' ? signer(Number(row.sequence)) : signer,
    });
    previous = seal;
    await db.query(
      `insert into es.seal (sequence, fleet, previous, merkle_root, events, generation, from_transaction_id, from_position, through_transaction_id,
         through_position, recorded_from, recorded_to, sealed_at, entries, digest, key_id, signature)
       values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)`,
      [
        seal.sequence,
        seal.fleet,
        Buffer.from(seal.previous, 'hex'),
        Buffer.from(seal.merkleRoot, 'hex'),
        seal.events,
        seal.from.generation,
        seal.from.transactionId,
        seal.from.position,
        seal.through.transactionId,
        seal.through.position,
        seal.recordedFrom,
        seal.recordedTo,
        seal.sealedAt,
        entriesText(seal.entries),
        Buffer.from(seal.digest, 'hex'),
        seal.keyId ?? null,
        seal.signature ?? null,
      ],
    );
  }
}
