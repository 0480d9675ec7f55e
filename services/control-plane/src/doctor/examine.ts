import { keyOf, ORACLE_IDS, type OracleId } from './finding.ts';
import { inOrder, look, type Examination } from './look.ts';
import type { Patient } from './patient.ts';

interface ExamineOptions {
  /** Default: all. */
  readonly only?: readonly OracleId[];
  /** Between the first look and the one that confirms it; default 5 s. */
  readonly quietMs?: number;
  /** Told what is done, for an operator who waits. */
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Looks at a live fleet with the chosen oracles, and once more at whatever disagreed: what moves is not a finding. Reads only. Throws when
 * PostgreSQL does not answer; a cloud that does not is said in `unchecked`. A check that fails is a finding, and the others are made.
 */
export async function examine(patient: Patient, options: ExamineOptions = {}): Promise<Examination> {
  const only = new Set(options.only ?? ORACLE_IDS);
  const first = await look(patient, { ...options, only, choice: { kind: 'all' } });
  if (first.findings.length === 0 || options.signal?.aborted === true) return first;
  options.progress?.(`${first.findings.length} suspicions; a second look follows`);
  await patient.clock.sleep(options.quietMs ?? 5_000, options.signal);
  const suspects = new Set(first.findings.flatMap(({ where }) => where.stream ?? []));
  const again = new Set(first.findings.map(({ oracle }) => oracle));
  const second = await look(patient, { ...options, only: again, choice: { kind: 'open', also: [...suspects] } });
  const confirmed = new Set(second.findings.map(keyOf));
  return {
    ...first,
    findings: first.findings.filter((finding) => confirmed.has(keyOf(finding))).sort(inOrder),
    unchecked: first.unchecked,
  };
}
