import type { Pool } from 'pg';
import type { EciClient, EciClients, GroupIdentity } from '#libs/eci';
import { errorMessage } from '#libs/observability';
import { backoffMs, type Clock, type Random } from '#libs/runtime';
import type { CloudGroup, CloudList } from './facts.ts';

/** A chain that does not end is no complete list. */
const MOST_PAGES = 5_000;
/** Ids of one read (ECI docs: 20). */
const IDS = 20;
/** How often a call is repeated that was throttled or had no answer. */
const TRIES = 6;

export interface CloudParts {
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
    const client = await parts.clients.for(accountId, region);
    let cursor: string | undefined;
    for (let page = 0; ; page++) {
      if (page === MOST_PAGES) return incomplete(`the list did not end after ${MOST_PAGES} pages`);
      const from = cursor;
      const answer = await repeated(parts, () => client.changes({ fleet: parts.fleet }, undefined, from));
      if (answer.kind !== 'done') return incomplete(reasonOf(answer));
      for (const { containerGroupId, status, createdAt, finishedAt } of answer.value.groups)
        groups.set(containerGroupId, {
          containerGroupId,
          status,
          ...(createdAt !== undefined && { createdAt }),
          ...(finishedAt !== undefined && { finishedAt }),
        });
      cursor = answer.value.next;
      if (cursor === undefined) break;
    }
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
    const client: EciClient = await parts.clients.for(list.accountId, list.region);
    for (let start = 0; start < ids.length; start += IDS) {
      const answer = await repeated(parts, () => client.describe(ids.slice(start, start + IDS)));
      if (answer.kind !== 'done') return { ...list, incomplete: reasonOf(answer) };
      for (const { snapshot, identity } of answer.value)
        details.set(snapshot.containerGroupId, {
          ...identity,
          ...(snapshot.createdAt !== undefined && { createdAt: snapshot.createdAt }),
          ...(snapshot.finishedAt !== undefined && { finishedAt: snapshot.finishedAt }),
        });
    }
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

interface NotDone {
  readonly kind: 'refused' | 'unknown';
  readonly class?: string;
  readonly code?: string;
  readonly message?: string;
  readonly reason?: string;
}

/** The product has the quota first: we wait and ask again. */
async function repeated<T extends { readonly kind: string }>(
  { clock, random, signal }: CloudParts,
  call: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await call();
    const passing =
      answer.kind === 'unknown' || (answer.kind === 'refused' && 'class' in answer && answer.class === 'THROTTLED');
    if (!passing || tries === TRIES || signal?.aborted === true) return answer;
    await clock.sleep(backoffMs(tries, { baseMs: 500, capMs: 5_000 }, random), signal);
  }
}

function reasonOf({ reason, code, message }: NotDone): string {
  return reason ?? `${code ?? 'refused'}: ${message ?? 'no message'}`;
}
