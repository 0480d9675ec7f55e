import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt, errors, importJWK, jwtVerify, type JWK } from 'jose';
import { identifier } from '#libs/contracts';
import { Refusal } from '../answers/refusal.ts';

/** Anybody may call with anything: the database is asked for ids only. */
const CLAIMED_ID = identifier(63);
const MAX_LIFE_SECONDS = 300;
/** Clocks of clusters drift. */
const TOLERANCE_SECONDS = 60;

/** What an agent claimed and proved with its own key (RFC 7523). */
export interface ProvenAssertion {
  readonly jti: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export const notAuthenticated = (why: string): Refusal => new Refusal('agent-not-authenticated', why);

/**
 * What strangers are told, whether the cluster is not there, has not joined, was unregistered, or joined with another key: nobody learns by asking
 * which clusters there are.
 */
const stranger = (): Refusal =>
  notAuthenticated(
    'the assertion is not signed (ES256) with the key of a cluster that has joined: a cluster joins with a token of POST /api/v1/clusters/{id}/join-token',
  );

/** Its private half was thrown away. Assertions for unknown clusters are checked with it, so that the answer takes as long as for a known one. */
const NOBODYS_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as JWK;

/** The cluster that an assertion names; nothing is proven yet. */
export function claimedCluster(assertion: string): string {
  try {
    const { iss } = decodeJwt(assertion);
    const { data } = CLAIMED_ID.safeParse(iss);
    if (data !== undefined) return data;
  } catch {
    // Falls through: the same answer for everything that is no assertion.
  }
  throw notAuthenticated('`assertion` is not a JWT with the cluster id as `iss`');
}

/**
 * Proves that the holder of the cluster's key made the assertion, for us, now. Throws a refusal that says what is wrong with it, to that holder;
 * to anybody else always the same. `publicKey` is null where no cluster of the name has one.
 */
export async function proveAssertion(
  assertion: string,
  expected: {
    readonly clusterId: string;
    readonly publicKey: JWK | null;
    readonly audience: string;
    readonly now: number;
  },
): Promise<ProvenAssertion> {
  try {
    const { payload } = await jwtVerify(assertion, await importJWK(expected.publicKey ?? NOBODYS_KEY, 'ES256'), {
      algorithms: ['ES256'],
      issuer: expected.clusterId,
      subject: expected.clusterId,
      audience: expected.audience,
      requiredClaims: ['exp', 'jti'],
      clockTolerance: TOLERANCE_SECONDS,
      currentDate: new Date(expected.now),
    });
    const exp = payload.exp as number;
    const ahead = exp - expected.now / 1000;
    if (ahead > MAX_LIFE_SECONDS + TOLERANCE_SECONDS) {
      throw notAuthenticated(
        `the assertion expires in ${Math.round(ahead)} s, at most ${MAX_LIFE_SECONDS} s are allowed: make a shorter one, or set the agent's clock right`,
      );
    }
    const jti = payload.jti as string;
    if (jti.length === 0 || jti.length > 200) throw notAuthenticated('`jti` must have 1–200 characters');
    return { jti, expiresAt: exp * 1000 };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (error instanceof errors.JWTExpired) {
      throw notAuthenticated(
        "the assertion has expired: make a new one for each call, and set the agent's clock right",
      );
    }
    if (error instanceof errors.JWTClaimValidationFailed)
      throw notAuthenticated(`the assertion's claim \`${error.claim}\` is wrong or missing`);
    if (error instanceof errors.JOSEError) throw stranger();
    throw error;
  }
}
