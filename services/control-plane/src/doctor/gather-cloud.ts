import type { Pool } from 'pg';
import type { EciClients, GroupIdentity, Unanswered } from '#libs/eci';
import { errorMessage } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { CloudGroup, CloudList } from './facts.ts';
import { PatientReads } from './patient-reads.ts';

interface CloudParts {
  readonly pool: Pool;
  readonly clients: EciClients;
  readonly fleet: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal?: AbortSignal;
}

/** One list by the fleet's tag for each (account, region) that the fleet has ever used. */
export async function listClouds(parts: CloudParts): Promise<readonly CloudList[]> {
  const { rows } = await parts.pool.query<{ account_id: string; region: string }>(
    'select account_id, region from fleet.scope order by account_id, region',
  );
  const lists: CloudList[] = [];
  for (const { account_id: accountId, region } of rows) lists.push(await listCloud(parts, accountId, region));
  return lists;
}

async function listCloud(parts: CloudParts, accountId: string, region: string): Promise<CloudList> {
  const beganAt = parts.clock.now();
  const groups = new Map<string, CloudGroup>();
  const incomplete = (reason: string): CloudList => ({
    accountId,
    region,
    beganAt,
    incomplete: reason,
    groups: [...groups.values()],
  });
  try {
    const reads = new PatientReads(await parts.clients.for(accountId, region), parts);
    const answer = await reads.changesEach({ fleet: parts.fleet }, undefined, (page) => {
      for (const { containerGroupId, status, createdAt, finishedAt } of page)
        groups.set(containerGroupId, {
          containerGroupId,
          status,
          ...(createdAt !== undefined && { createdAt }),
          ...(finishedAt !== undefined && { finishedAt }),
        });
    });
    if (answer.kind !== 'done') return incomplete(reasonOf(answer));
    return { accountId, region, beganAt, groups: [...groups.values()] };
  } catch (error) {
    return incomplete(errorMessage(error));
  }
}

/**
 * The same list with tags and times of some groups, read by id; those that do not carry the fleet's tag are left out. Incomplete when a read
 * failed.
 */
export async function withDetails(
  parts: CloudParts,
  list: CloudList,
  wanted: (group: CloudGroup) => boolean,
): Promise<CloudList> {
  const ids = list.groups.filter(wanted).map(({ containerGroupId }) => containerGroupId);
  if (ids.length === 0) return list;
  const details = new Map<string, Partial<GroupIdentity> & Pick<CloudGroup, 'createdAt' | 'finishedAt'>>();
  try {
    const reads = new PatientReads(await parts.clients.for(list.accountId, list.region), parts);
    const answer = await reads.describe(ids);
    if (answer.kind !== 'done') return { ...list, incomplete: reasonOf(answer) };
    for (const { snapshot, identity } of answer.value)
      details.set(snapshot.containerGroupId, {
        ...identity,
        ...(snapshot.createdAt !== undefined && { createdAt: snapshot.createdAt }),
        ...(snapshot.finishedAt !== undefined && { finishedAt: snapshot.finishedAt }),
      });
  } catch (error) {
    return { ...list, incomplete: errorMessage(error) };
  }
  const asked = new Set(ids);
  return {
    ...list,
    groups: list.groups.flatMap((group) => {
      if (!asked.has(group.containerGroupId)) return [group];
      const found = details.get(group.containerGroupId);
      // Gone since the list, or not ours although the filter let it through.
      if (found?.fleet !== parts.fleet) return [];
      const { createdAt, finishedAt, ...identity } = found;
      return [{ ...group, identity, ...(createdAt && { createdAt }), ...(finishedAt && { finishedAt }) }];
    }),
  };
}

function reasonOf(answer: Unanswered): string {
  return answer.kind === 'unknown' ? answer.reason : `${answer.code}: ${answer.message}`;
}
