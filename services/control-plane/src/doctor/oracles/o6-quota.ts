import type { LaneFacts, MinuteOfCalls } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** O6: outcomes recorded in any minute are no more than the lane's bucket gives in a minute, and every lane of the cloud has a bucket. */
export function callsStayWithinQuota(
  lanes: readonly LaneFacts[],
  minutes: readonly MinuteOfCalls[],
): readonly Finding[] {
  const findings: Finding[] = [];
  const byName = new Map(lanes.map((lane) => [lane.lane, lane]));
  for (const { lane, minute, calls } of minutes) {
    const bucket = byName.get(lane);
    if (!bucket || bucket.rate === null || bucket.burst === null) continue;
    const most = Math.ceil(bucket.rate * 60 + bucket.burst);
    if (calls <= most) continue;
    findings.push({
      oracle: 'O6',
      kind: `too-many-${minute}`,
      what: `${calls} calls were recorded in one minute, the quota gives ${most}`,
      where: { place: lane },
      since: new Date(minute).toISOString(),
      next: 'see that every replica uses this database (tokens are rows), and that the quota of the account was not lowered meanwhile',
    });
  }
  for (const { lane, rate } of lanes) {
    if (rate !== null || !/^[^/]+\/[^/]+\/(create|delete|describe|status)$/.test(lane)) continue;
    findings.push({
      oracle: 'O6',
      kind: 'no-bucket',
      what: 'a lane of the cloud has no quota, so nothing paces its calls',
      where: { place: lane },
      next: 'see that its account is configured (GET /api/v1/accounts); its lanes get their quota at the start of a replica',
    });
  }
  return findings;
}

/** Lanes that the cloud has slowed down lately: no fault of ours by itself, somebody else may use the account. */
export function slowedLanes(lanes: readonly LaneFacts[], now: number): readonly string[] {
  return lanes
    .filter(({ factor, factorMovedAt }) => factor < 1 && now - Date.parse(factorMovedAt) < 600_000)
    .map(({ lane, factor }) => `${lane} at ${Math.round(factor * 100)} % after throttling`);
}
