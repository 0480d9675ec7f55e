import type { Pool } from 'pg';
import type { TwoFacedTable } from './history.ts';

/** What readers and this check read. */
const TABLES = ['es.event', 'es.stream', 'es.log', 'es.seal', 'es.audit_key'];
const PARTITIONED = 'es.event';

interface TableFace {
  readonly table: string;
  /** `pg_class.relkind`; null: there is no such relation. */
  readonly kind: string | null;
  /** It is a partition of `es.event`. */
  readonly is_partition: boolean;
  readonly row_security: boolean;
  readonly rules: readonly string[];
  /** Tables that inherit from it: their rows show up among its own. */
  readonly heirs: readonly string[];
}

const KINDS: Readonly<Record<string, string>> = {
  r: 'a table',
  p: 'a partitioned table',
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
};

/** What keeps a table from showing its own rows, and the same to everybody; nothing of it is ever made by our migrations. */
function faultsOf({ table, kind, is_partition, row_security, rules, heirs }: TableFace): readonly string[] {
  if (kind === null) return ['it is not there'];
  const expected = table === PARTITIONED && !is_partition ? 'p' : 'r';
  return [
    ...(kind === expected ? [] : [`it is ${KINDS[kind] ?? `a relation of kind ${kind}`}, not ${KINDS[expected]!}`]),
    ...(row_security ? ['row security is on: who asks decides which rows there are'] : []),
    ...rules.map((rule) => `rule ${rule} rewrites statements on it`),
    ...heirs.map((heir) => `rows of ${heir}, which inherits from it, show up among its own`),
  ];
}

/** Looks at the catalogue for tables with two faces: one for the auditor, another for whoever decides by them. */
export async function twoFacedTables(pool: Pool): Promise<readonly TwoFacedTable[]> {
  const { rows } = await pool.query<TableFace>(
    `with relation as (
       select t.name, pg_catalog.to_regclass(t.name)::oid as oid, false as is_partition from unnest($1::text[]) t (name)
       union all
       select p.relid::regclass::text, p.relid, true from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($2)) p where p.level > 0
     )
     select r.name as table, c.relkind::text as kind, r.is_partition, coalesce(c.relrowsecurity, false) as row_security,
            array(select w.rulename::text from pg_catalog.pg_rewrite w where w.ev_class = r.oid order by 1) as rules,
            case when c.relkind = 'p' then '{}'
                 else array(select i.inhrelid::regclass::text from pg_catalog.pg_inherits i where i.inhparent = r.oid order by 1) end as heirs
       from relation r left join pg_catalog.pg_class c on c.oid = r.oid
      order by r.is_partition, r.name`,
    [TABLES, PARTITIONED],
  );
  return rows.flatMap((face) => faultsOf(face).map((fault) => ({ table: face.table, fault })));
}
