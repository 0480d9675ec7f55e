import type pg from 'pg';

/** Everything that intake writes beside the offset. */
const TABLES = ['stream', 'event', 'sealed', 'effect'] as const;

interface Copy {
  readonly insert: string;
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * Writes the rows that are in the event store once more, into tables of the same columns and keys without any rule, as fast as plain SQL from
 * one connection can: `insert … select unnest`, `batch` rows of each table in one transaction. Returns milliseconds.
 */
export async function plainInsert(pool: pg.Pool, batch: number): Promise<number> {
  await pool.query('drop schema if exists bench cascade');
  await pool.query('create schema bench');
  const copies: Copy[] = [];
  for (const table of TABLES) copies.push(await copyOf(pool, table));
  const client = await pool.connect();
  try {
    const began = performance.now();
    const most = Math.max(...copies.map(({ rows }) => rows.length));
    for (let from = 0; from < most; from += batch) {
      await client.query('begin');
      for (const { insert, rows } of copies) {
        const some = rows.slice(from, from + batch);
        const [first] = some;
        if (first === undefined) continue;
        await client.query(
          insert,
          first.map((_, column) => some.map((row) => row[column] ?? null)),
        );
      }
      await client.query('commit');
    }
    return performance.now() - began;
  } finally {
    client.release();
  }
}

async function copyOf(pool: pg.Pool, table: string): Promise<Copy> {
  await pool.query(`create table bench.${table} (like es.${table} including defaults including indexes)`);
  const { rows: columns } = await pool.query<{ name: string; type: string }>(
    `select quote_ident(attname) as name, format_type(atttypid, atttypmod) as type
       from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [`es.${table}`],
  );
  const { rows } = await pool.query<(string | null)[]>({
    text: `select ${columns.map(({ name }) => `${name}::text`).join(', ')} from es.${table}`,
    rowMode: 'array',
  });
  const values = columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');
  return { insert: `insert into bench.${table} select * from unnest(${values})`, rows };
}
