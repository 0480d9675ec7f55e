import { cleanJson, type ContainerGroupSpec } from '#libs/contracts';
import type { GroupSnapshot } from '#libs/domain';
import { readTlsFiles } from '#libs/transport';
import { partsOf, signedWith, type AccessKey } from './access-key.ts';
import { isCredentialMissing } from './account-errors.ts';
import { createOutcome, deleteAnswer, describeAnswer } from './answers.ts';
import { createParameters, type FileModes } from './create-fields.ts';
import { EciClient, type CreateAnswer, type DeleteAnswer, type FrozenCreate, type Placement } from './eci.ts';
import type { Endpoint } from './endpoint.ts';
import { failureOf, type Failure } from './failure.ts';
import { freezeParameters, thawRequest } from './frozen.ts';
import { everyPage } from './pages.ts';
import type { DescribeAnswer, Page } from './read-answer.ts';
import { IDS_OF_A_CALL, type FoundGroup, type GroupIdentity, type TagFilter } from './reads.ts';
import {
  DeleteContainerGroupRequest,
  DescribeContainerGroupsRequest,
  DescribeContainerGroupStatusRequest,
  ExtendsParameters,
  RuntimeOptions,
  SdkClient,
  SdkConfig,
} from './sdk.ts';
import { idOf, name } from './said.ts';
import { foundGroup, statusSnapshot } from './snapshot.ts';
import { filterTags } from './tags.ts';

interface AlibabaEciClientOptions {
  readonly accountId: string;
  readonly region: string;
  readonly endpoint: Endpoint;
  /** Asked before every call; whoever implements it caches and renews. */
  readonly credential: () => Promise<AccessKey>;
  /** PEM file with the authorities of the endpoint, read at each call; absent: the system's. */
  readonly caFile?: string | undefined;
  /** Both of the SDK's timeouts, milliseconds; default 15,000. (The connect timeout also ends silent sockets, so one alone does nothing.) */
  readonly timeoutMs?: number;
  /** Default `number`, see there. */
  readonly fileModes?: FileModes;
  /** Makes the SDK's client for a key; default: one that speaks HTTP. For simulations whose cloud is in the same process. */
  readonly connect?: (key: AccessKey) => SdkClient;
}

/** Groups of one page of details, and of one page of statuses (eci.md §2.3). */
const DETAILS_PAGE = 20;
const STATUS_PAGE = 200;
/** Seconds that `SinceSecond` may say (eci.md §2.3). */
const [SHORTEST_WINDOW, LONGEST_WINDOW] = [60, 3_600];

type Called<T> = { readonly ok: true; readonly body: T } | { readonly ok: false; readonly failure: Failure };

/** The real cloud through Alibaba's SDK, one account in one region. The SDK repeats nothing by itself (tried), and neither does this. */
export class AlibabaEciClient extends EciClient {
  private readonly options: AlibabaEciClientOptions;
  private sdk: { readonly key: AccessKey; readonly ca: string | undefined; readonly client: SdkClient } | undefined;

  constructor(options: AlibabaEciClientOptions) {
    super();
    this.options = options;
  }

  freeze(spec: ContainerGroupSpec, placement: Placement, identity: GroupIdentity): FrozenCreate {
    const { accountId, region, fileModes = 'number' } = this.options;
    if (spec.region !== region) {
      throw new RangeError(`${spec.name}: a group for ${spec.region} cannot be frozen by the client of ${region}`);
    }
    const parameters = createParameters(spec, placement, identity, fileModes);
    return freezeParameters(parameters, { accountId, region, clientToken: placement.clientToken });
  }

  async create(frozen: FrozenCreate): Promise<CreateAnswer> {
    const { accountId, region } = this.options;
    if (frozen.accountId !== accountId || frozen.region !== region) {
      throw new RangeError(
        `a create frozen for ${frozen.accountId}/${frozen.region} must not be sent by the client of ${accountId}/${region}`,
      );
    }
    const { request, queries, secrets } = thawRequest(frozen);
    const called = await this.call(
      (sdk) => sdk.createContainerGroupWithOptions(request, this.runtime(queries)),
      secrets,
    );
    if (!called.ok) return createOutcome(called.failure);
    const { requestId, containerGroupId: id } = called.body ?? {};
    const containerGroupId = idOf(id);
    if (containerGroupId === undefined)
      return { kind: 'unknown', reason: 'the cloud answered 200 without a container group id' };
    return { kind: 'done', containerGroupId, requestId: name(requestId ?? '') };
  }

  async delete(containerGroupId: string, options: { readonly force?: boolean } = {}): Promise<DeleteAnswer> {
    const request = new DeleteContainerGroupRequest({ regionId: this.options.region, containerGroupId });
    // Newer than the SDK's class, like MaxPendingMinute.
    const queries: Record<string, string> = options.force ? { Force: 'true' } : {};
    const called = await this.call((sdk) => sdk.deleteContainerGroupWithOptions(request, this.runtime(queries)));
    if (!called.ok) return deleteAnswer(called.failure);
    const { requestId } = called.body ?? {};
    if (!requestId) return { kind: 'unknown', reason: 'the cloud answered 200 without a request id' };
    return { kind: 'done', requestId: name(requestId) };
  }

  async describeOnce(containerGroupIds: readonly string[]): Promise<DescribeAnswer<readonly FoundGroup[]>> {
    if (containerGroupIds.length > IDS_OF_A_CALL) {
      throw new RangeError(`one call takes at most ${IDS_OF_A_CALL} ids, not ${containerGroupIds.length}`);
    }
    // Without ids the cloud would answer every group there is.
    if (containerGroupIds.length === 0) return { kind: 'done', value: [], requestId: '' };
    const groups: FoundGroup[] = [];
    const by = { containerGroupIds: JSON.stringify(containerGroupIds) };
    const answer = await everyPage(
      (cursor) => this.page(by, cursor),
      (page) => void groups.push(...page),
    );
    return answer.kind === 'done' ? { ...answer, value: groups } : answer;
  }

  list(filter: TagFilter, cursor?: string): Promise<DescribeAnswer<Page<FoundGroup>>> {
    return this.page({ tag: filterTags(filter) }, cursor);
  }

  async changes(
    filter: TagFilter,
    sinceSeconds: number | undefined,
    cursor?: string,
  ): Promise<DescribeAnswer<Page<GroupSnapshot>>> {
    if (sinceSeconds !== undefined && sinceSeconds > LONGEST_WINDOW) {
      throw new RangeError(
        `changes can be asked for the last ${LONGEST_WINDOW} s, not for ${sinceSeconds} s: list instead`,
      );
    }
    const request = new DescribeContainerGroupStatusRequest({
      regionId: this.options.region,
      tag: filterTags(filter),
      limit: STATUS_PAGE,
      ...(sinceSeconds === undefined ? {} : { sinceSecond: Math.max(SHORTEST_WINDOW, Math.ceil(sinceSeconds)) }),
      ...(cursor ? { nextToken: cursor } : {}),
    });
    const called = await this.call((sdk) => sdk.describeContainerGroupStatusWithOptions(request, this.runtime()));
    if (!called.ok) return describeAnswer(called.failure);
    const { data, nextToken, requestId, totalCount } = called.body ?? {};
    if (!requestId || (!data && totalCount !== 0)) return notAList;
    const groups = (data ?? []).map(statusSnapshot);
    if (!groups.every((group) => group !== undefined)) return rowWithoutId;
    return { kind: 'done', value: { groups, ...(nextToken ? { next: nextToken } : {}) }, requestId: name(requestId) };
  }

  private async page(
    by: { readonly containerGroupIds: string } | { readonly tag: readonly { key: string; value: string }[] },
    cursor: string | undefined,
  ): Promise<DescribeAnswer<Page<FoundGroup>>> {
    const request = new DescribeContainerGroupsRequest({
      regionId: this.options.region,
      ...by,
      withEvent: true,
      limit: DETAILS_PAGE,
      ...(cursor ? { nextToken: cursor } : {}),
    });
    const called = await this.call((sdk) => sdk.describeContainerGroupsWithOptions(request, this.runtime()));
    if (!called.ok) return describeAnswer(called.failure);
    const { containerGroups, nextToken, requestId, totalCount } = called.body ?? {};
    // The SDK takes any 200 for success. An answer that does not hold a list must never pass for an empty one.
    if (!requestId || (!containerGroups && totalCount !== 0)) return notAList;
    const groups = (containerGroups ?? []).map(foundGroup);
    if (!groups.every((group) => group !== undefined)) return rowWithoutId;
    return { kind: 'done', value: { groups, ...(nextToken ? { next: nextToken } : {}) }, requestId: name(requestId) };
  }

  private runtime(queries: Record<string, string> = {}): InstanceType<typeof RuntimeOptions> {
    const { timeoutMs = 15_000 } = this.options;
    return new RuntimeOptions({
      readTimeout: timeoutMs,
      connectTimeout: timeoutMs,
      autoretry: false,
      maxAttempts: 1,
      ...(Object.keys(queries).length > 0 ? { extendsParameters: new ExtendsParameters({ queries }) } : {}),
    });
  }

  /**
   * Every call goes through here, so that nothing the SDK throws gets past `failureOf`, and no text comes in that cannot be kept: a container says
   * its last words itself, and they may hold anything.
   */
  private async call<T>(
    send: (sdk: SdkClient) => Promise<{ readonly body?: T; readonly statusCode?: number }>,
    secrets: readonly string[] = [],
  ): Promise<Called<T | undefined>> {
    let key: AccessKey | undefined;
    let ca: string | undefined;
    try {
      key = await this.options.credential();
      ({ ca } = readTlsFiles({ caFile: this.options.caFile }));
    } catch (error) {
      // Not a word of the cloud, and nothing was sent. Answers reach whoever sees a pod or an account: they must not tell which files there are.
      const missing = isCredentialMissing(error);
      const message = missing ? error.said : 'the credential or the CA could not be read just now';
      return {
        ok: false,
        failure: { class: 'TRANSIENT', message, neverSent: true, ...(missing && { noCredential: true }) },
      };
    }
    try {
      const { body, statusCode } = await send(this.clientFor(key, ca));
      // The SDK follows no redirect, and takes it for success; what comes with one is not the cloud's answer.
      if (statusCode !== undefined && statusCode >= 300) return { ok: false, failure: notAnAnswer(statusCode) };
      return { ok: true, body: cleanJson(body) };
    } catch (error) {
      return { ok: false, failure: failureOf(error, [...secrets, ...partsOf(key)]) };
    }
  }

  private clientFor(key: AccessKey, ca: string | undefined): SdkClient {
    const known = this.sdk;
    if (
      known?.key.accessKeyId === key.accessKeyId &&
      known.key.accessKeySecret === key.accessKeySecret &&
      known.key.securityToken === key.securityToken &&
      known.ca === ca
    ) {
      return known.client;
    }
    const client = this.options.connect?.(key) ?? this.connect(key, ca);
    this.sdk = { key, ca, client };
    return client;
  }

  private connect(key: AccessKey, ca: string | undefined): SdkClient {
    const { endpoint, region } = this.options;
    return new SdkClient(new SdkConfig({ ...signedWith(key, endpoint, ca), regionId: region }));
  }
}

const notAnAnswer = (status: number): Failure => ({
  class: 'TRANSIENT',
  status,
  message: `HTTP ${status} instead of an answer of the cloud`,
  neverSent: false,
});

const notAList = { kind: 'unknown', reason: 'the cloud answered 200 without a list' } as const;
const rowWithoutId = { kind: 'unknown', reason: 'the cloud answered a container group without an id' } as const;
