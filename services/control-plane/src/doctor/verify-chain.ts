import { AuditKeyRing } from '../audit/audit-key.ts';
import { readOnlyPool } from '../audit/read-only-pool.ts';
import { trustedKeys } from '../audit/trusted-keys.ts';
import { FolderCopy } from '../audit/verify/folder-copy.ts';
import { keysInPostgres, PostgresHistory } from '../audit/verify/postgres-history.ts';
import { verify } from '../audit/verify/verify.ts';
import type { ControlPlaneConfig } from '../config.ts';
import type { Finding } from './finding.ts';

/** What the seals say of the log; see `audit verify`, which says more and compares with the feed. */
export interface ChainReport {
  readonly findings: readonly Finding[];
  readonly looked: string;
}

/** O4, whole log: the audit verification, beside the folder of seals where there is one, as findings of the doctor. */
export async function verifyChain(
  config: Pick<ControlPlaneConfig, 'databaseUrl' | 'auditKey' | 'sealsFolder'>,
  now: number,
  signal?: AbortSignal,
): Promise<ChainReport> {
  const pool = readOnlyPool(config.databaseUrl);
  try {
    const result = await verify({
      history: await PostgresHistory.open(pool),
      trusted: new AuditKeyRing(await trustedKeys(undefined, config.auditKey)),
      untrusted: new AuditKeyRing(await keysInPostgres(pool)),
      now: new Date(now).toISOString(),
      ...(config.sealsFolder !== undefined && { published: await FolderCopy.open(config.sealsFolder) }),
      ...(signal && { signal }),
    });
    return {
      findings: result.findings.map(({ kind, event, seal, table, checks }) => ({
        oracle: 'O4',
        kind: event === undefined ? `chain-${kind}-${table ?? seal ?? ''}` : `chain-${kind}-${event.version}`,
        what: `${event === undefined ? '' : `version ${event.version} (${event.type}): `}${kind.replaceAll('-', ' ')}: ${checks.join('; ')}`,
        where: {
          ...(event && { stream: event.streamId }),
          ...(seal !== undefined && { place: `seal ${seal}` }),
          ...(table !== undefined && { place: `table ${table}` }),
        },
        ...(event && { since: event.recordedAt }),
        next: 'npm run fleet -- audit verify --feed compares with what was published; find out who can write to schema es',
      })),
      looked: `${result.seals} seals over ${result.sealedEvents} events${result.seals === 0 ? ' (nothing is sealed: FLEET_AUDIT_KEY signs seals)' : ''}`,
    };
  } finally {
    await pool.end();
  }
}
