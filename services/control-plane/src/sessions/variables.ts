import { parseJson, section, type Given, type Variables } from '#libs/configuration';
import { privateJwkFault } from '#libs/keys';
import { z } from 'zod';
import { fleet } from '../config/fleet.ts';

/** Private EC P-256 key as a JWK. */
export const TokenKey = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().min(1),
  y: z.string().min(1),
  d: z.string().min(1),
  kid: z.string().min(1).optional(),
});
export type TokenKey = z.infer<typeof TokenKey>;

/** `iss` and `aud` of access tokens, as brokers expect them. */
export interface TokenNames {
  readonly tokenIssuer: string;
  readonly tokenAudience: string;
}

interface TokenSettings extends TokenNames {
  readonly tokenKey: TokenKey;
}

/** How to make a key of this fleet that is a JWK. */
export const NEW_KEYS = 'make one with `npm run --silent control-plane -- --make-keys <folder>`';

export const tokenKeyVariables = {
  FLEET_TOKEN_KEY: {
    secret: true,
    meaning: "key that signs agents' access tokens: a private EC P-256 JWK; required (or FLEET_TOKEN_KEY_FILE)",
    required:
      'is missing: set it or FLEET_TOKEN_KEY_FILE to a private EC P-256 key as a JWK, the same for every replica (`--make-keys <folder>` makes one)',
    schema: z.string().transform((text, context) => {
      const key = parseJson(text);
      const fault = privateJwkFault(key, 'P-256');
      const parsed = TokenKey.safeParse(key);
      if (fault === undefined && parsed.success) return parsed.data;
      const message = fault === undefined ? 'is not a private EC P-256 JWK (look at kid)' : `${fault}; ${NEW_KEYS}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }),
    orFile: 'file with the token key',
  },
} as const satisfies Variables;

const tokenNameVariables = {
  FLEET_TOKEN_ISSUER: { meaning: '`iss` of access tokens, as brokers expect it', otherwise: 'FLEET_NAME' },
  FLEET_TOKEN_AUDIENCE: { meaning: '`aud` of access tokens, as brokers expect it', otherwise: 'FLEET_NAME' },
} as const satisfies Variables;

export const sessions = section({
  variables: { ...tokenKeyVariables, ...tokenNameVariables },
  settings: (v, given): TokenSettings | undefined => {
    const names = tokenNames(given);
    return names && { tokenKey: v.FLEET_TOKEN_KEY, ...names };
  },
});

/** Names in tokens, where no key need be given. */
export function tokenNames(given: Given): TokenNames | undefined {
  const { FLEET_NAME } = fleet.variables;
  const v = given.of({ ...tokenNameVariables, FLEET_NAME });
  return (
    v && {
      tokenIssuer: v.FLEET_TOKEN_ISSUER ?? v.FLEET_NAME,
      tokenAudience: v.FLEET_TOKEN_AUDIENCE ?? v.FLEET_NAME,
    }
  );
}
