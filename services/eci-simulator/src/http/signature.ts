/**
 * ACS3-HMAC-SHA256 as the SDK signs it. The query on the wire is encoded more loosely than the signed one, so it is decoded and encoded anew.
 * Keys go into the canonical query as they are.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { WireError } from '../core/wire-error.ts';
import type { Nonces } from './nonces.ts';

export interface Credential {
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** An STS credential: every request must carry this token. */
  readonly securityToken?: string;
  /** Epoch milliseconds (real) after which the STS token is refused. */
  readonly expiresAt?: number;
  /** A disabled key. */
  readonly inactive?: boolean;
}

interface SignedRequest {
  readonly method: string;
  readonly query: ReadonlyMap<string, string>;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const ALGORITHM = 'ACS3-HMAC-SHA256';
const SKEW_MS = 15 * 60_000;
const NEEDED = ['host', 'x-acs-action', 'x-acs-content-sha256', 'x-acs-date', 'x-acs-signature-nonce', 'x-acs-version'];

/** The account of a rightly signed request; throws the refusal otherwise. `now` is real time. */
export function verify(
  request: SignedRequest,
  credentials: ReadonlyMap<string, Credential>,
  nonces: Nonces,
  now: number,
): string {
  const { headers } = request;
  const given = /^ACS3-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)$/.exec(
    headers.authorization ?? '',
  );
  if (!given) throw new WireError('IncompleteSignature', 400, `The request is not signed with ${ALGORITHM}.`);
  const [, accessKeyId = '', signedHeaders = '', signature = ''] = given;
  const names = signedHeaders.split(';');
  const unsigned = NEEDED.filter((name) => !names.includes(name) || headers[name] === undefined);
  if (unsigned.length > 0)
    throw new WireError('IncompleteSignature', 400, `These headers must be sent and signed: ${unsigned.join(', ')}.`);

  const credential = credentials.get(accessKeyId);
  if (!credential) throw new WireError('InvalidAccessKeyId.NotFound', 404, 'Specified access key is not found.');
  if (credential.inactive) throw new WireError('InvalidAccessKeyId.Inactive', 400, 'Specified access key is disabled.');
  const date = String(headers['x-acs-date']);
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date) ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(at))
    throw new WireError('InvalidTimeStamp.Format', 400, 'The timestamp must look like 2018-08-02T15:00:00Z.');
  if (Math.abs(now - at) > SKEW_MS)
    throw new WireError('InvalidTimeStamp.Expired', 400, 'The timestamp is too far from the time of the service.');

  const payloadHash = sha256(request.body);
  if (
    headers['x-acs-content-sha256'] !== payloadHash ||
    !equal(signature, signatureOf(request, names, payloadHash, credential.accessKeySecret))
  )
    throw new WireError('SignatureDoesNotMatch', 400, 'Specified signature is not matched with our calculation.');
  checkToken(credential, headers['x-acs-security-token'], now);
  if (!nonces.use(`${accessKeyId}/${String(headers['x-acs-signature-nonce'])}`, now))
    throw new WireError('SignatureNonceUsed', 400, 'The signature nonce was used already.');
  return credential.accountId;
}

function checkToken({ securityToken, expiresAt }: Credential, given: string | string[] | undefined, now: number): void {
  if (securityToken === undefined) {
    if (given !== undefined)
      throw new WireError('InvalidSecurityToken.MismatchWithAccessKey', 400, 'This access key has no security token.');
    return;
  }
  if (given === undefined) throw new WireError('InvalidSecurityToken.Malformed', 400, 'The security token is missing.');
  if (given !== securityToken)
    throw new WireError(
      'InvalidSecurityToken.MismatchWithAccessKey',
      400,
      'The security token does not belong to the access key.',
    );
  if (expiresAt !== undefined && now >= expiresAt)
    throw new WireError('InvalidSecurityToken.Expired', 400, 'The security token has expired.');
}

function signatureOf(
  { method, query, headers }: SignedRequest,
  names: readonly string[],
  payloadHash: string,
  secret: string,
): string {
  const canonicalQuery = [...query.keys()]
    .sort()
    .map((key) => `${key}=${encode(query.get(key)!)}`)
    .join('&');
  const canonicalHeaders = names.map((name) => `${name}:${String(headers[name] ?? '').trim()}\n`).join('');
  const canonicalRequest = [method, '/', canonicalQuery, canonicalHeaders, names.join(';'), payloadHash].join('\n');
  return createHmac('sha256', secret)
    .update(`${ALGORITHM}\n${sha256(canonicalRequest)}`)
    .digest('hex');
}

function encode(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const OF_NOTHING = createHash('sha256').digest('hex');

function sha256(data: string | Buffer): string {
  if (data.length === 0) return OF_NOTHING;
  return createHash('sha256').update(data).digest('hex');
}

function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
