import { z } from 'zod';
import { parseEndpoint } from '#libs/eci';

/** What accounts name a credential by. It is the name of a file too, so nothing in it may lead elsewhere. */
export const CredentialName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "name a credential of the control plane's configuration: 1–63 of a-z, 0-9 and -, not at its ends",
  );

/**
 * Variables that hold this service's own secrets or addresses must not be taken for an AccessKey: their value would be sent to the cloud as an
 * AccessKey id.
 */
const ownVariable = /^(FLEET_|DATABASE_|KAFKA_|TLS_|HTTP_)/;
const variableName = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,99}$/, 'must be the name of an environment variable (A-Z, 0-9, _)')
  .refine(
    (name) => !ownVariable.test(name),
    'is a variable of the control plane itself; name one that holds an AccessKey',
  );
const absolutePath = z.string().regex(/^\/[^\0]+$/, 'must be an absolute path');

const FromEnvironment = z.strictObject({
  kind: z.literal('environment'),
  accessKeyIdVariable: variableName,
  accessKeySecretVariable: variableName,
});
const FromFile = z.strictObject({ kind: z.literal('file'), path: absolutePath });

/** A key that STS gives for an hour to whoever holds another credential. */
const FromRole = z.strictObject({
  kind: z.literal('role'),
  roleArn: z
    .string()
    .regex(/^acs:ram::\d{1,32}:role\/[A-Za-z0-9._-]{1,64}$/, 'must look like acs:ram::1234567890:role/name'),
  /** Name of the credential that may assume it. */
  credential: CredentialName,
  /** Of STS; default the central one. */
  endpoint: z
    .string()
    .refine((text) => parseEndpoint(text) !== undefined, 'must be a host or http(s)://host:port without a path')
    .optional(),
});
export type RoleSource = z.infer<typeof FromRole>;

/** Where the AccessKey of a credential is, as operators configure it; never the key. */
export const CredentialSource = z.discriminatedUnion('kind', [
  FromEnvironment,
  /** A file with JSON `{accessKeyId, accessKeySecret, securityToken?}`. */
  FromFile,
  /** A folder with one file for each of them, as Kubernetes mounts a Secret. */
  z.strictObject({ kind: z.literal('folder'), path: absolutePath }),
  FromRole,
]);
export type CredentialSource = z.infer<typeof CredentialSource>;

/** What accounts may name: a list, and a folder with one `<name>.json` for each; a name of both is the list's. */
export interface ConfiguredCredentials {
  readonly named: ReadonlyMap<string, CredentialSource>;
  readonly folder?: string;
}

/**
 * A reference as accounts carried it until 0.2.0: whoever added one could name any variable and any file. It is still read for accounts that
 * have it, and taken from nobody any more.
 */
export const OldReference = z
  .discriminatedUnion('kind', [FromEnvironment, FromFile])
  .meta({ id: 'OldCredentialReference' });
export type OldReference = z.infer<typeof OldReference>;

/** A name, or a reference of before there were names. */
export type CredentialReference = string | OldReference;
