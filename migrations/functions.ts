import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Client } from 'pg';

/** The present text of one function, with who may execute it: safe to run again. */
export interface FunctionText {
  /** With its schema, as in `es.append_2`; there is one function of a name. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the text, 64 hexadecimal digits. */
  readonly digest: string;
}

/** Beside this module, as source and as built. */
const FOLDER = new URL('./functions/', import.meta.url);

/** The files of `functions/`, in the order of their names. */
export function functionTexts(): readonly FunctionText[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => functionText(file.slice(0, -'.sql'.length), readFileSync(new URL(file, FOLDER), 'utf8')));
}

export function functionText(name: string, sql: string): FunctionText {
  return { name, sql, digest: createHash('sha256').update(sql).digest('hex') };
}

/**
 * Gives the functions whose text is not the one in the database their present one. One transaction, on the connection that holds the turn: what
 * runs and what is noted about it never differ, and nobody is half way when his turn is over. Nothing happens when the database was brought
 * further than `newest`, the number of the last file that the caller knows: then its texts are the older ones.
 */
export async function applyFunctions(client: Client, texts: readonly FunctionText[], newest: string): Promise<void> {
  await client.query('begin');
  const { rows: reached } = await client.query<{ number: string }>(
    'select max(left(name, 4)) as number from es.migration',
  );
  if (reached[0]!.number <= newest) await replaceChanged(client, texts);
  await client.query('commit');
}

async function replaceChanged(client: Client, texts: readonly FunctionText[]): Promise<void> {
  const { rows } = await client.query<{ name: string; digest: string }>('select name, digest from es.function_text');
  const present = new Map(rows.map(({ name, digest }) => [name, digest]));
  // Functions may call each other in any order of their names; functions.int.spec.ts looks at their bodies.
  await client.query('set local check_function_bodies = off');
  for (const { name, sql, digest } of texts) {
    if (present.get(name) === digest) continue;
    try {
      await client.query(sql);
    } catch (error) {
      if (error instanceof Error) error.message = `function ${name}: ${error.message}`;
      throw error;
    }
    await client.query(
      `insert into es.function_text (name, digest) values ($1, $2)
       on conflict (name) do update set digest = excluded.digest, applied_at = excluded.applied_at`,
      [name, digest],
    );
  }
  await client.query('delete from es.function_text where name <> all ($1)', [texts.map(({ name }) => name)]);
}
