import { readTlsFiles } from '#libs/transport';
import { partsOf, signedWith, type AccessKey } from './access-key.ts';
import { CloudAccountUnusable } from './account-errors.ts';
import type { Endpoint } from './endpoint.ts';
import { failureOf } from './failure.ts';
import { ApiClient, ApiParameters, ApiRequest, RuntimeOptions, SdkConfig } from './sdk.ts';

interface RoleRequest {
  /** Of whoever may assume the role. */
  readonly key: AccessKey;
  /** `acs:ram::<account>:role/<name>` */
  readonly roleArn: string;
  /** Of STS. */
  readonly endpoint: Endpoint;
  /** PEM file with the authorities of the endpoint; absent: the system's. */
  readonly caFile?: string | undefined;
  /** Default 10,000. */
  readonly timeoutMs?: number;
}

export interface AssumedRole {
  readonly key: AccessKey;
  /** Epoch milliseconds, by the cloud's clock. */
  readonly expiresAt: number;
}

/** Seconds: the longest that every role grants. */
const DURATION = 3_600;

/**
 * A key of the role for an hour (AssumeRole of STS). Rejects with {@link CloudAccountUnusable} when the cloud refuses it, with another error for a
 * moment's trouble; both for operators alone, as they hold the cloud's words, and never a key.
 */
export async function assumeRole({
  key,
  roleArn,
  endpoint,
  caFile,
  timeoutMs = 10_000,
}: RoleRequest): Promise<AssumedRole> {
  const { ca } = readTlsFiles({ caFile });
  const client = new ApiClient(new SdkConfig(signedWith(key, endpoint, ca)));
  const call = new ApiParameters({
    action: 'AssumeRole',
    version: '2015-04-01',
    protocol: endpoint.protocol,
    method: 'POST',
    authType: 'AK',
    style: 'RPC',
    pathname: '/',
    reqBodyType: 'json',
    bodyType: 'json',
  });
  const request = new ApiRequest({
    query: { RoleArn: roleArn, RoleSessionName: 'eci-fleet', DurationSeconds: String(DURATION) },
  });
  const runtime = new RuntimeOptions({
    readTimeout: timeoutMs,
    connectTimeout: timeoutMs,
    autoretry: false,
    maxAttempts: 1,
  });
  let answer: unknown;
  try {
    answer = await client.callApi(call, request, runtime);
  } catch (error) {
    const failure = failureOf(error, partsOf(key));
    const said = `role ${roleArn} cannot be assumed: ${failure.code ? `${failure.code}: ` : ''}${failure.message}`;
    const refused = failure.class === 'AUTH' || failure.class === 'NOT_FOUND' || failure.class === 'INVALID_REQUEST';
    throw refused ? new CloudAccountUnusable('credential', said) : new Error(said);
  }
  const role = roleOf(answer);
  if (!role) throw new Error(`role ${roleArn} cannot be assumed: STS did not answer a key`);
  return role;
}

function roleOf(answer: unknown): AssumedRole | undefined {
  const { statusCode, body } = (answer ?? {}) as { statusCode?: unknown; body?: { Credentials?: unknown } };
  // The SDK takes a redirect for success.
  if (typeof statusCode === 'number' && statusCode >= 300) return undefined;
  const said = (body?.Credentials ?? {}) as Record<string, unknown>;
  const [accessKeyId, accessKeySecret, securityToken, expiration] = [
    said['AccessKeyId'],
    said['AccessKeySecret'],
    said['SecurityToken'],
    said['Expiration'],
  ].map((text) => (typeof text === 'string' ? text : ''));
  const expiresAt = Date.parse(expiration ?? '');
  if (!accessKeyId || !accessKeySecret || !securityToken || Number.isNaN(expiresAt)) return undefined;
  return { key: { accessKeyId, accessKeySecret, securityToken }, expiresAt };
}
