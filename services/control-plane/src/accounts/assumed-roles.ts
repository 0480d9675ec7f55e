import type { AccessKey, AssumedRole } from '#libs/eci';
import type { RoleSource } from './credential-sources.ts';

/** A key is renewed when so little of its life is left, and used until it ends when that fails. */
const RENEW_MS = 600_000;
/** What could not be had is not asked for again before this: every call to the cloud wants a key. */
const ASK_AGAIN_MS = 5_000;

interface Held {
  role?: AssumedRole;
  asking?: Promise<AssumedRole>;
  failed?: { readonly at: number; readonly error: unknown };
}

/** Keys of roles, each had once and kept while it lasts, however many calls want it. */
export class AssumedRoles {
  private readonly assume: (source: RoleSource) => Promise<AssumedRole>;
  private readonly now: () => number;
  private readonly held = new Map<string, Held>();

  constructor(parts: { readonly assume: (source: RoleSource) => Promise<AssumedRole>; readonly now: () => number }) {
    this.assume = parts.assume;
    this.now = parts.now;
  }

  async key(source: RoleSource): Promise<AccessKey> {
    const place = JSON.stringify(source);
    const held = this.held.get(place) ?? {};
    this.held.set(place, held);
    if (held.role && held.role.expiresAt - this.now() > RENEW_MS) return held.role.key;
    try {
      return (await this.renewed(source, held)).key;
    } catch (error) {
      if (held.role && held.role.expiresAt > this.now()) return held.role.key;
      throw error;
    }
  }

  private renewed(source: RoleSource, held: Held): Promise<AssumedRole> {
    const { failed } = held;
    if (failed && this.now() - failed.at < ASK_AGAIN_MS) return Promise.reject(failed.error as Error);
    held.asking ??= this.assume(source)
      .then((role) => {
        delete held.failed;
        return (held.role = role);
      })
      .catch((error: unknown) => {
        held.failed = { at: this.now(), error };
        throw error;
      })
      .finally(() => delete held.asking);
    return held.asking;
  }
}
