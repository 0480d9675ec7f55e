import { decodeJwt } from 'jose';
import type { CallOptions, KubernetesApi } from './kubernetes-api.ts';
import type { KubernetesObject } from './objects.ts';
import { resources } from './resources.ts';

/**
 * The API server extends a pod-bound token of its own audience to a year only when it is asked for exactly this many seconds
 * (`WarnOnlyBoundTokenExpirationPeriod` in k8s.io/kubernetes pkg/serviceaccount).
 */
const EXTENDED_TOKEN_SECONDS = 3607;

interface TokenAsk {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: { readonly name: string; readonly uid: string };
  /** Absent: the audience of the API server, with the extended life. */
  readonly audience?: string | undefined;
  /** Seconds; used only with an audience. The API server takes no less than 600. */
  readonly expirationSeconds?: number | undefined;
}

interface PodToken {
  readonly token: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
}

/**
 * A token of the pod's service account, bound to the pod: it dies with it. Its times are those inside the token: the `expirationTimestamp`
 * that comes with it names the life that was asked for, not the extended one.
 */
export async function requestPodToken(api: KubernetesApi, ask: TokenAsk, options: CallOptions = {}): Promise<PodToken> {
  const answer = await api.create<KubernetesObject & { status?: { token?: string } }>(
    resources.serviceAccounts as never,
    { namespace: ask.namespace, name: ask.serviceAccount, subresource: 'token' },
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        ...(ask.audience === undefined ? {} : { audiences: [ask.audience] }),
        expirationSeconds: ask.audience === undefined ? EXTENDED_TOKEN_SECONDS : (ask.expirationSeconds ?? 3600),
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: ask.pod.name, uid: ask.pod.uid },
      },
    },
    options,
  );
  const token = answer.status?.token;
  if (!token)
    throw new Error(`the API server gave no token for service account ${ask.namespace}/${ask.serviceAccount}`);
  const { iat, exp } = decodeJwt(token);
  if (iat === undefined || exp === undefined) {
    throw new Error(
      `the token of service account ${ask.namespace}/${ask.serviceAccount} does not say how long it lives`,
    );
  }
  return { token, issuedAt: new Date(iat * 1000).toISOString(), expiresAt: new Date(exp * 1000).toISOString() };
}
