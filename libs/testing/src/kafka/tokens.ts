import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';

/** All that a process needs to sign tokens which a rig's broker accepts; plain data. */
export interface TokenIssuerKey {
  /** What the broker expects in `iss`. */
  readonly issuer: string;
  /** What the broker expects in `aud`. */
  readonly audience: string;
  /** EC P-256, with `kid` and `alg`: for control planes that a test starts. */
  readonly privateJwk: JWK;
}

export interface TokenIssuer extends TokenIssuerKey {
  /** The public half, as the broker reads it. */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** A token for the principal `User:<subject>`. `expiresInSeconds` (default 300) may be negative: expired already. */
  sign(subject: string, options?: { expiresInSeconds?: number; audience?: string }): Promise<string>;
}

/** A new key, unlike any before. Defaults: issuer `https://eci-fleet.test`, audience `eci-fleet`. */
export async function createTokenIssuer(options: { issuer?: string; audience?: string } = {}): Promise<TokenIssuer> {
  const { issuer = 'https://eci-fleet.test', audience = 'eci-fleet' } = options;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const names = { kid: `rig-${crypto.randomUUID()}`, alg: 'ES256', use: 'sig' };
  return tokenIssuer({ issuer, audience, privateJwk: { ...(await exportJWK(privateKey)), ...names } });
}

/** The issuer that owns this key. */
export function tokenIssuer({ issuer, audience, privateJwk }: TokenIssuerKey): TokenIssuer {
  const { d: _private, ...publicJwk } = privateJwk;
  return {
    issuer,
    audience,
    privateJwk,
    jwks: { keys: [publicJwk] },
    async sign(subject, { expiresInSeconds = 300, audience: other = audience } = {}) {
      const expires = Math.floor(Date.now() / 1_000) + expiresInSeconds;
      return new SignJWT({})
        .setProtectedHeader({
          alg: 'ES256',
          typ: 'JWT',
          ...(privateJwk.kid === undefined ? {} : { kid: privateJwk.kid }),
        })
        .setSubject(subject)
        .setIssuer(issuer)
        .setAudience(other)
        .setIssuedAt(expires - Math.max(expiresInSeconds, 0) - 1)
        .setExpirationTime(expires)
        .setJti(crypto.randomUUID())
        .sign(await importJWK(privateJwk, 'ES256'));
    },
  };
}
