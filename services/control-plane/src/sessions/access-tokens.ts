import { calculateJwkThumbprint, exportJWK, importJWK, SignJWT, type CryptoKey, type JWK } from 'jose';
import type { Clock } from '#libs/runtime';
import { auditorPrincipal, controlPlanePrincipal, principalOf } from '../clusters/principal.ts';
import type { TokenKey } from './variables.ts';

/** How long an access token is good; agents renew every few minutes. */
const ACCESS_TOKEN_MS = 3_600_000;

interface AccessToken {
  readonly token: string;
  readonly expiresAt: string;
}

/**
 * Short-lived JWTs (ES256) that say to Kafka which cluster calls (OAUTHBEARER). `iss` and `aud` are the fleet's
 * name unless configured otherwise, `sub` is the principal of {@link principalOf}. Brokers check them with {@link AccessTokens.jwks}, from a file.
 */
export class AccessTokens {
  private readonly key: CryptoKey;
  private readonly publicJwk: JWK;
  private readonly fleet: string;
  private readonly issuer: string;
  private readonly audience: string;
  private readonly clock: Clock;

  private constructor(key: CryptoKey, publicJwk: JWK, parts: TokenSettings) {
    this.key = key;
    this.publicJwk = publicJwk;
    this.fleet = parts.fleet;
    this.issuer = parts.issuer;
    this.audience = parts.audience;
    this.clock = parts.clock;
  }

  static async open(parts: TokenSettings): Promise<AccessTokens> {
    const key = (await importJWK(parts.tokenKey as JWK, 'ES256')) as CryptoKey;
    return new AccessTokens(key, await publicHalf(parts.tokenKey), parts);
  }

  /** `generation`: of the key that the agent has proven. */
  issueForCluster(clusterId: string, generation: number): Promise<AccessToken> {
    return this.issue(principalOf(this.fleet, clusterId, generation));
  }

  /** The control plane's own token for Kafka; a broker names this principal among its super users. */
  async tokenOfControlPlane(): Promise<string> {
    return (await this.issue(controlPlanePrincipal(this.fleet))).token;
  }

  /** For whoever verifies the feed; it opens no door of the control plane. */
  issueForAuditor(validMs: number): Promise<AccessToken> {
    return this.issue(auditorPrincipal(this.fleet), validMs);
  }

  /** Public keys as a JWK set. */
  jwks(): { readonly keys: readonly JWK[] } {
    return { keys: [this.publicJwk] };
  }

  private async issue(subject: string, validMs = ACCESS_TOKEN_MS): Promise<AccessToken> {
    const now = Math.floor(this.clock.now() / 1000);
    const expires = now + Math.floor(validMs / 1000);
    const token = await new SignJWT()
      .setProtectedHeader({
        alg: 'ES256',
        typ: 'JWT',
        ...(this.publicJwk.kid === undefined ? {} : { kid: this.publicJwk.kid }),
      })
      .setIssuer(this.issuer)
      .setAudience(this.audience)
      .setSubject(subject)
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(this.key);
    return { token, expiresAt: new Date(expires * 1000).toISOString() };
  }
}

interface TokenSettings {
  readonly tokenKey: TokenKey;
  readonly fleet: string;
  readonly issuer: string;
  readonly audience: string;
  readonly clock: Clock;
}

/** Public JWKS of a private token key; what `--print-jwks` prints. */
export async function publicJwks(tokenKey: TokenKey): Promise<{ readonly keys: readonly JWK[] }> {
  return { keys: [await publicHalf(tokenKey)] };
}

async function publicHalf(tokenKey: TokenKey): Promise<JWK> {
  const { kty, crv, x, y } = tokenKey;
  const jwk = await exportJWK(await importJWK({ kty, crv, x, y }, 'ES256', { extractable: true }));
  return { ...jwk, kid: tokenKey.kid ?? (await calculateJwkThumbprint(jwk)), alg: 'ES256', use: 'sig' };
}
