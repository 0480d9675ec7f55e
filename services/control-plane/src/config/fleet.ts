import { list, section } from '#libs/configuration';
import { z } from 'zod';

const ROLES = ['api', 'intake', 'effects', 'observe', 'publish', 'project'] as const;
export type Role = (typeof ROLES)[number];

interface FleetSettings {
  /** Prefix of topics, principals and tags. */
  readonly fleet: string;
  readonly roles: readonly Role[];
}

export const fleet = section({
  variables: {
    FLEET_NAME: {
      meaning: 'prefix of topics, principals and tags; never change it while groups run',
      default: 'eci-fleet',
      schema: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'use 1–40 of a-z, 0-9 and -, not at its ends'),
    },
    FLEET_ROLES: {
      meaning: 'what this process does: api,intake,effects,observe,publish,project',
      otherwise: 'all of them',
      schema: list(
        z.array(z.enum(ROLES, { error: `knows the roles ${ROLES.join(', ')}` })).min(1, 'name at least one role'),
      ),
    },
  },
  settings: (v): FleetSettings => ({ fleet: v.FLEET_NAME, roles: [...new Set(v.FLEET_ROLES ?? ROLES)] }),
});
