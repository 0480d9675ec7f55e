/**
 * The cloud in few verbs with typed answers.
 *
 * Hides: Alibaba's SDK, its field names and its errors. Guarantees: a frozen create is sent the same however often it is repeated; an answer
 * that could hide an effect is `unknown`, never a failure; a list is complete or says that it is not; no answer holds a URL or a secret. Does
 * not: retry, pace, or decide what an answer means for a pod.
 */
export * from './eci.ts';
export type * from './read-answer.ts';
export * from './reads.ts';
export { CloudAccountUnusable, isCredentialMissing } from './account-errors.ts';
export type { AccessKey } from './access-key.ts';
export { AlibabaEciClient } from './alibaba-eci-client.ts';
export { AlibabaEciClients, type EciAccount } from './alibaba-eci-clients.ts';
export { endpointOf, isCloudEndpoint, parseEndpoint } from './endpoint.ts';
export { assumeRole, type AssumedRole } from './assume-role.ts';
export { DOCUMENTED_CODES } from './error-codes.ts';
export { IDENTITY_TAGS } from './tags.ts';
