import { parseJson, section, type Variables } from '#libs/configuration';
import { z } from 'zod';
import { NEW_KEYS } from '../sessions/variables.ts';
import { AuditKey, auditKeyFault } from './audit-key.ts';

interface AuditSettings {
  /** Signs the seals of the audit trail; absent: they are chained, not signed. */
  readonly auditKey?: AuditKey;
  /** Digest of the seal that the audit key may follow though it has not signed it. */
  readonly auditAcceptFrom?: string;
  /** Where every seal is kept as a file; absent: in PostgreSQL and on the feed only. */
  readonly sealsFolder?: string;
}

export const auditKeyVariables = {
  FLEET_AUDIT_KEY: {
    secret: true,
    meaning: 'key that signs the seals of the audit trail: a private Ed25519 JWK',
    otherwise: 'none: seals are chained, not signed',
    schema: z.string().transform((text, context) => {
      const key = parseJson(text);
      const fault = auditKeyFault(key);
      if (fault === undefined) return AuditKey.parse(key);
      context.addIssue({ code: 'custom', message: `${fault}; ${NEW_KEYS}` });
      return z.NEVER;
    }),
    orFile: 'file with the audit key',
  },
} as const satisfies Variables;

export const audit = section({
  variables: {
    ...auditKeyVariables,
    FLEET_AUDIT_ACCEPT_FROM: {
      meaning: 'digest of the one seal that the audit key may follow though another key or none has signed it',
      otherwise: 'none: nothing is sealed on top of such a seal',
      schema: z
        .string()
        .regex(
          /^[0-9a-f]{64}$/,
          'must be the digest of a seal, 64 hexadecimal digits, as the log and the API print it',
        ),
    },
    FLEET_SEALS_FOLDER: {
      meaning: 'folder that keeps every seal as a file, on write-once storage for example; it must exist',
      otherwise: 'none: seals are in PostgreSQL and on the feed',
      schema: z.string().regex(/^\//, 'must be an absolute path'),
    },
  },
  settings: (v): AuditSettings => ({
    ...(v.FLEET_AUDIT_KEY && { auditKey: v.FLEET_AUDIT_KEY }),
    ...(v.FLEET_AUDIT_ACCEPT_FROM && { auditAcceptFrom: v.FLEET_AUDIT_ACCEPT_FROM }),
    ...(v.FLEET_SEALS_FOLDER && { sealsFolder: v.FLEET_SEALS_FOLDER }),
  }),
});

/** Of those who check the audit trail: no control plane reads it. */
export const auditorVariables = {
  FLEET_AUDITOR_TOKEN: {
    secret: true,
    meaning:
      'token with which `audit verify --feed` reads the feed; `audit token` prints one. The control plane itself needs none',
    otherwise: 'none',
    orFile: 'file with the auditor token',
  },
} as const satisfies Variables;
