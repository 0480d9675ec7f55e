import type { TokenLife } from '#libs/domain';

export type TokenAge = 'fresh' | 'ageing' | 'expired';

/** The worst of the pod's tokens: `ageing` when under half of its life is left, for ECI cannot renew files of a running group. */
export function tokenAge(tokens: readonly TokenLife[], now: number): TokenAge {
  let worst: TokenAge = 'fresh';
  for (const { issuedAt, expiresAt } of tokens) {
    const [issued, expires] = [Date.parse(issuedAt), Date.parse(expiresAt)];
    if (expires <= now) return 'expired';
    if (expires - now < (expires - issued) / 2) worst = 'ageing';
  }
  return worst;
}
