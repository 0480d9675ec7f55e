import { createHash } from 'node:crypto';
import type { Ids, Random } from '#libs/runtime';
import { Behaviours } from './behaviour.ts';
import { Buckets } from './buckets.ts';
import { ClientTokens, type RememberedToken } from './client-tokens.ts';
import { type FaultRule, Faults, takesEffect } from './faults.ts';
import { type GroupRecord, Groups } from './groups.ts';
import { availableResource, regionsView, usageView } from './inquiries.ts';
import { type Action, isAction, unknownParameters } from './known-parameters.ts';
import { Ledger, type LedgerRequest } from './ledger.ts';
import { describeEvents, describeGroups, describeStatus, type Page } from './listing.ts';
import { Parameters } from './parameters.ts';
import { readGroup } from './read-group.ts';
import { accountSettings, type Change, changed, DEFAULT_SETTINGS, type Range, type Settings } from './settings.ts';
import { errorBody, type Reply, spoil, type WireRequest } from './reply.ts';
import { SecretParameters } from './secret-parameters.ts';
import type { StockLimit } from './stock.ts';
import { invalid, missing, WireError } from './wire-error.ts';
import { DEMO_REGIONS, type RegionDefinition, World } from './world.ts';

const API_VERSION = '2018-08-08';

/** Simulated time, and the clock of the callers (the same in a simulation on a virtual clock), epoch milliseconds. */
export interface Instant {
  readonly simulated: number;
  readonly real: number;
}

/** A request on its way through the cloud: `receive`, wait `holdMs`, `perform`, wait `delayMs`, deliver, `settle`. */
export interface Call {
  readonly request: WireRequest;
  readonly requestId: string;
  readonly entry: LedgerRequest;
  readonly fault: FaultRule | undefined;
  /** Real milliseconds before the request takes effect. */
  readonly holdMs: number;
  tokenKey?: string;
}

export type CloudRecord = GroupRecord | { readonly k: 'token'; readonly token: RememberedToken };

export interface CloudOptions {
  readonly random: Random;
  readonly ids: Ids;
  readonly regions?: readonly RegionDefinition[];
  readonly stock?: readonly StockLimit[];
  readonly settings?: Change<Settings>;
  /** Whether `takeRecords` will be called. Default false. */
  readonly recording?: boolean;
  /** Whether the ledger keeps values of secrets as they are, and not as digests. Default false. */
  readonly keepSecrets?: boolean;
}

/**
 * The simulated cloud: state and rules, without I/O. Time comes with every call and must not go back. Throws nothing for bad requests: they are replies.
 */
export class Cloud {
  readonly world: World;
  readonly ledger = new Ledger();
  readonly faults: Faults;
  readonly behaviours = new Behaviours();
  private readonly groups: Groups;
  private readonly tokens = new ClientTokens();
  private readonly buckets = new Buckets();
  private readonly random: Random;
  private readonly ids: Ids;
  private readonly recording: boolean;
  private readonly secrets: SecretParameters | undefined;
  private readonly tokenRecords: CloudRecord[] = [];
  private current: Settings;

  constructor(options: CloudOptions) {
    this.random = options.random;
    this.ids = options.ids;
    this.recording = options.recording ?? false;
    this.secrets = options.keepSecrets ? undefined : new SecretParameters();
    this.current = changed(DEFAULT_SETTINGS, options.settings ?? {});
    this.world = new World(options.regions ?? DEMO_REGIONS, options.stock ?? []);
    this.faults = new Faults(options.random);
    this.groups = new Groups({
      world: this.world,
      settings: () => this.current,
      behaviours: this.behaviours,
      ledger: this.ledger,
      random: options.random,
      ids: options.ids,
      recording: this.recording,
    });
  }

  get settings(): Settings {
    return this.current;
  }

  change(change: Change<Settings>): void {
    const before = this.current.buckets;
    this.current = changed(this.current, change);
    if (this.current.buckets !== before) this.buckets.clear();
  }

  /** Groups that are known, by status, for a health view. */
  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { status } of this.groups.registry.all()) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  /** Simulated time of the next thing that happens by itself. */
  get nextDueAt(): number | undefined {
    return this.groups.nextDueAt;
  }

  advanceTo(at: Instant): void {
    this.groups.advanceTo(at.simulated, at.real);
  }

  receive(request: WireRequest, at: Instant): Call {
    const requestId = this.ids.uuid().toUpperCase();
    const entry = this.record(request, requestId, at);
    const fault = this.faults.choose(request.account, request.action, request.parameters);
    const holdMs = fault?.kind === 'delay' && fault.when === 'before' ? (fault.delayMs ?? 1_000) : 0;
    return { request, requestId, entry, fault, holdMs };
  }

  /** A request that was turned away before its sender was known: it is in the ledger, and its answer is an error. */
  refuse(request: WireRequest, error: WireError, at: Instant): Reply {
    const requestId = this.ids.uuid().toUpperCase();
    const entry = this.record(request, requestId, at);
    entry.outcome = { status: error.status, code: error.code, containerGroupId: null, executed: false, fault: null };
    return {
      status: error.status,
      body: errorBody(error, requestId, request),
      delayMs: 0,
      delivery: { kind: 'answer' },
    };
  }

  perform(call: Call, at: Instant): Reply {
    this.advanceTo(at);
    const { fault, request, requestId, entry } = call;
    const effective = !fault || fault.kind === 'empty-list' || takesEffect(fault);
    let status = 200;
    let code: string | null = null;
    let containerGroupId: string | null = null;
    let body: Record<string, unknown> = { RequestId: requestId };
    if (effective) {
      try {
        body = { RequestId: requestId, ...this.run(call, at) };
        containerGroupId =
          (body['ContainerGroupId'] as string | undefined) ?? request.parameters.get('ContainerGroupId') ?? null;
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        status = error.status;
        code = error.code;
        body = errorBody(error, requestId, request);
      }
    }
    const executed = effective && status === 200;
    entry.outcome = { status, code, containerGroupId, executed, fault: fault?.kind ?? null };
    const latencies = this.current.latencies;
    const range: Range =
      request.action === 'CreateContainerGroup'
        ? latencies.createMs
        : request.action === 'DeleteContainerGroup'
          ? latencies.deleteMs
          : latencies.describeMs;
    const latency = Math.round((range[0] + this.random.next() * (range[1] - range[0])) * latencies.factor);
    const extra = fault?.kind === 'delay' && fault.when !== 'before' ? (fault.delayMs ?? 1_000) : 0;
    const answer: Reply = { status, body, delayMs: latency + extra, delivery: { kind: 'answer' } };
    if (!fault) return answer;
    const spoiled = spoil(answer, fault, requestId, request);
    if (!effective && fault.kind === 'error')
      entry.outcome = { ...entry.outcome, status: spoiled.status, code: fault.code ?? 'InternalError' };
    return spoiled;
  }

  /** Removes a group at once, without any request. False when it is not known. */
  vanish(containerGroupId: string, at: Instant): boolean {
    this.advanceTo(at);
    const group = this.groups.registry.get(containerGroupId);
    if (group) this.groups.delete(group, at.simulated, true);
    return group !== undefined;
  }

  /** The answer has left, or never will. */
  settle(call: Call): void {
    if (call.tokenKey !== undefined) this.tokens.end(call.tokenKey);
    delete call.tokenKey;
  }

  /** What must be written down before the next answer leaves. */
  takeRecords(): CloudRecord[] {
    return [...this.groups.takeRecords(), ...this.tokenRecords.splice(0)];
  }

  allRecords(): CloudRecord[] {
    this.tokenRecords.length = 0;
    const tokens = [...this.tokens.all()].map((token) => ({ k: 'token' as const, token }));
    return [...this.groups.allRecords(), ...tokens];
  }

  restore(records: Iterable<CloudRecord>): void {
    const groupRecords: GroupRecord[] = [];
    for (const record of records) {
      if (record.k === 'token') this.tokens.remember(record.token);
      else groupRecords.push(record);
    }
    this.groups.restore(groupRecords);
  }

  private record(request: WireRequest, requestId: string, at: Instant): LedgerRequest {
    return this.ledger.addRequest(
      {
        at: new Date(at.real).toISOString(),
        simulatedAt: new Date(at.simulated).toISOString(),
        account: request.account,
        action: request.action,
        region: request.parameters.get('RegionId') ?? '',
        clientToken: request.parameters.get('ClientToken') ?? null,
        parameters: this.secrets?.hidden(request.action, request.parameters) ?? Object.fromEntries(request.parameters),
        requestId,
      },
      this.current.ledgerRequests,
    );
  }

  private run(call: Call, at: Instant): Record<string, unknown> {
    const { account, action, version, parameters } = call.request;
    if (version !== API_VERSION)
      throw new WireError('NoSuchVersion', 400, `Version ${version || '(none)'} does not exist.`);
    if (!isAction(action))
      throw new WireError('InvalidAction.NotFound', 404, `The action ${action || '(none)'} does not exist.`);
    const region = parameters.get('RegionId') ?? '';
    this.throttle(account, action, region, at.real);
    const { permission } = accountSettings(this.current, account);
    if (permission === 'denied')
      throw new WireError(
        'Forbidden.RAM',
        403,
        `User not authorized to operate on the specified resource, or this API doesn't support RAM.`,
      );
    if (this.current.unknownParameters === 'reject') {
      const [unknown] = unknownParameters(action, parameters.keys());
      if (unknown !== undefined) throw invalid(`${action} has no parameter ${unknown}.`);
    }
    if (region === '' && action !== 'DescribeRegions') throw missing('RegionId');
    if (region !== '') this.world.region(region);
    const from = Parameters.from(parameters);
    const caller = { account, now: at.simulated, observedAt: at.real };
    const hide = call.fault?.kind === 'empty-list' || permission === 'empty-lists';
    switch (action) {
      case 'CreateContainerGroup':
        return { ContainerGroupId: this.create(call, from, at) };
      case 'DeleteContainerGroup':
        return this.delete(account, from, at);
      case 'DescribeContainerGroups':
        return this.list(describeGroups(this.groups.registry, from, caller), hide, call.fault);
      case 'DescribeContainerGroupStatus':
        return this.list(describeStatus(this.groups.registry, from, caller), hide, call.fault);
      case 'DescribeContainerGroupEvents':
        return this.list(describeEvents(this.groups.registry, from, caller), hide, call.fault);
      case 'DescribeRegions':
        return regionsView(this.world, region);
      case 'DescribeAvailableResource':
        return availableResource(this.world, from);
      case 'ListUsage':
        return usageView(
          accountSettings(this.current, account).maxCpu,
          this.groups.quotas.openCpu(`${account}/${region}`),
        );
    }
  }

  private throttle(account: string, action: Action, region: string, now: number): void {
    const { buckets, bucketsPerRegion, throttleStatus } = this.current;
    const shape = buckets[action] ?? (action in buckets ? null : (buckets['*'] ?? null));
    const name = [account, action, ...(bucketsPerRegion ? [region] : [])].join('/');
    if (!this.buckets.take(name, shape, now))
      throw new WireError('Throttling.User', throttleStatus, 'Request was denied due to user flow control.');
  }

  private create(call: Call, from: Parameters, at: Instant): string {
    const { account, parameters } = call.request;
    const definition = readGroup(from, this.current);
    if (!definition.clientToken) return this.groups.create(definition, account, at.simulated).id;
    const key = `${account}/${definition.region}/${definition.clientToken}`;
    if (this.tokens.isRunning(key))
      throw new WireError(
        'LastTokenProcessing',
        400,
        'The first request with this ClientToken is still being processed.',
      );
    const digest = digestOf(parameters);
    const { tokenMemoryMs, tokenCheck } = this.current;
    this.tokens.sweep(at.simulated, tokenMemoryMs);
    const known = this.tokens.find(key, at.simulated, tokenMemoryMs);
    // Some services look at stock and quota first: a repeat may then be refused although the group exists.
    if (known && tokenCheck === 'last') this.groups.wouldRefuse(definition, account, at.simulated);
    if (known && known.digest !== digest)
      throw new WireError('IdempotentParameterMismatch', 400, 'The ClientToken was used before with other parameters.');
    if (known) return known.containerGroupId;
    const group = this.groups.create(definition, account, at.simulated);
    const token: RememberedToken = { key, digest, containerGroupId: group.id, at: at.simulated };
    this.tokens.remember(token);
    if (this.recording) this.tokenRecords.push({ k: 'token', token });
    this.tokens.begin(key);
    call.tokenKey = key;
    return group.id;
  }

  private delete(account: string, from: Parameters, at: Instant): Record<string, unknown> {
    const id = from.requiredText('ContainerGroupId');
    const force = from.flag('Force') ?? false;
    const group = this.groups.registry.get(id);
    const isUnseen = this.current.deleteOfUnseen === 'unknown' && group && group.visibleAt > at.simulated;
    if (!group || isUnseen || group.account !== account || group.definition.region !== from.text('RegionId')) {
      if (this.current.deleteOfGone === 'ok') return {};
      throw new WireError('InvalidContainerGroupId.NotFound', 404, `The container group ${id} does not exist.`);
    }
    if (group.status === 'Terminating' && !force && this.current.deleteOfTerminating === 'incorrect-status')
      throw new WireError(
        'IncorrectStatus',
        400,
        'The current status of the container group does not support this operation.',
      );
    this.groups.delete(group, at.simulated, force);
    return {};
  }

  private list(page: Page, hide: boolean, fault: FaultRule | undefined): Record<string, unknown> {
    if (hide) return { TotalCount: 0, NextToken: '', [page.field]: [] };
    const half = fault?.kind === 'truncate-page' && fault.page !== undefined && fault.page !== 'cut';
    const items = half ? page.items.slice(0, Math.ceil(page.items.length / 2)) : page.items;
    const next = !half
      ? page.next
      : fault.page === 'lost-token'
        ? ''
        : page.items.length > 1
          ? page.halfway
          : page.next;
    return { TotalCount: page.total, NextToken: next, [page.field]: items };
  }
}

function digestOf(parameters: ReadonlyMap<string, string>): string {
  const parts = [...parameters.keys()].sort().map((name) => JSON.stringify([name, parameters.get(name)]));
  return createHash('sha256').update(parts.join('')).digest('hex');
}
