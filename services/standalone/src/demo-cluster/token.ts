/** An answer to TokenRequest: a JWT with honest times. Its signature is empty, for nobody in the demo cluster checks tokens. */
export function demoToken(
  request: { spec?: { audiences?: string[]; expirationSeconds?: number } },
  subject: string,
): unknown {
  const issuedAt = Math.floor(Date.now() / 1000);
  const life = request.spec?.expirationSeconds ?? 3600;
  // As a real API server does for the default audience: exactly 3,607 s is understood as "as long as the pod lives".
  const expiresAt = issuedAt + (life === 3607 ? 365 * 24 * 3600 : life);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'none' })}.${part({ iss: 'https://kubernetes.default.svc', sub: subject, aud: request.spec?.audiences ?? [], iat: issuedAt, exp: expiresAt })}.`;
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: request.spec ?? {},
    status: { token, expirationTimestamp: new Date(expiresAt * 1000).toISOString() },
  };
}
