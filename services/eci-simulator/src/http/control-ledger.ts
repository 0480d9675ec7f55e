import type { LedgerGroup } from '../core/group.ts';
import type { LedgerRequest } from '../core/ledger.ts';
import type { RunningCloud } from '../running-cloud.ts';
import { ControlError, type Route } from './control-route.ts';

const PAGE = 200;
const PAGE_MAX = 5_000;

/** What tests compare with: every group ever made and every request received. */
export function ledgerRoutes(running: RunningCloud): Route[] {
  return [
    {
      method: 'GET',
      path: '/ledger',
      what: 'A summary: groups ever made by status, ClientTokens with several groups (must be 0), requests by action and code.',
      run: () => running.cloud.ledger.summary(),
    },
    {
      method: 'GET',
      path: '/ledger/groups',
      what: 'Every group ever made, oldest first. Filters: id, account, region, name, clientToken, status, zone, open=true|false (open = not final, not gone), tag.<key>=<value>. Pages: limit (200, at most 5000), after=<next>.',
      run: ({ query }) => page(running.cloud.ledger.groups(), query, groupFilter(query), 'groups'),
    },
    {
      method: 'GET',
      path: '/ledger/requests',
      what: 'Every request received, oldest first. Filters: action, account, region, clientToken, containerGroupId, code, fault, executed=true|false, param.<name>=<value>. Pages as above.',
      run: ({ query }) => page(running.cloud.ledger.requests(), query, requestFilter(query), 'requests'),
    },
  ];
}

function page<T>(
  all: Iterable<T>,
  query: URLSearchParams,
  keep: (item: T) => boolean,
  field: string,
): Record<string, unknown> {
  const limit = Math.min(PAGE_MAX, Math.max(1, Number(query.get('limit') ?? PAGE) || PAGE));
  const after = Number(query.get('after') ?? 0) || 0;
  const items: T[] = [];
  let total = 0;
  for (const item of all) {
    if (!keep(item)) continue;
    total += 1;
    if (total > after && items.length < limit) items.push(item);
  }
  return { [field]: items, total, next: after + items.length < total ? String(after + items.length) : null };
}

function groupFilter(query: URLSearchParams): (group: LedgerGroup) => boolean {
  const tests: ((group: LedgerGroup) => boolean)[] = [];
  for (const [name, value] of query) {
    if (name === 'limit' || name === 'after') continue;
    if (name === 'open')
      tests.push(({ status }) => String(!['Gone', 'Succeeded', 'Failed', 'ScheduleFailed'].includes(status)) === value);
    else if (name === 'id') tests.push(({ containerGroupId }) => containerGroupId === value);
    else if (name.startsWith('tag.')) tests.push(({ tags }) => tags[name.slice(4)] === value);
    else if (['account', 'region', 'name', 'clientToken', 'status', 'zone'].includes(name))
      tests.push((group) => group[name as 'name'] === value);
    else throw new ControlError(400, `There is no filter ${name}.`);
  }
  return (group) => tests.every((test) => test(group));
}

function requestFilter(query: URLSearchParams): (request: LedgerRequest) => boolean {
  const tests: ((request: LedgerRequest) => boolean)[] = [];
  for (const [name, value] of query) {
    if (name === 'limit' || name === 'after') continue;
    if (name === 'executed') tests.push(({ outcome }) => String(outcome?.executed ?? false) === value);
    else if (name === 'code' || name === 'fault' || name === 'containerGroupId')
      tests.push(({ outcome }) => outcome?.[name] === value);
    else if (name.startsWith('param.')) tests.push(({ parameters }) => parameters[name.slice(6)] === value);
    else if (['action', 'account', 'region', 'clientToken'].includes(name))
      tests.push((request) => request[name as 'action'] === value);
    else throw new ControlError(400, `There is no filter ${name}.`);
  }
  return (request) => tests.every((test) => test(request));
}
