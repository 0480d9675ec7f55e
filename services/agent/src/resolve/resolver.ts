import { isIP } from 'node:net';
import type { RunPod, SealedRunPod } from '#libs/contracts';
import { isNotFound, requestPodToken, type KubernetesApi, type PodObject, type Stored } from '#libs/kubernetes';
import type { Logger } from '#libs/observability';
import type { EciProfile } from '../profile/profile.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import { contentsOf, type Fetched, type Missing } from './contents.ts';
import { referencesOf, type Reference, type TokenReference } from './references.ts';
import { serviceEnvOf } from './service-env.ts';
import { splitPod } from './split.ts';

interface ResolverOptions {
  readonly api: KubernetesApi;
  readonly objects: ClusterObjects;
  readonly profile: () => EciProfile;
  /** Empty: the cluster's own is looked up. */
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly logger: Logger;
}

type Resolution =
  | {
      readonly kind: 'ready';
      readonly body: RunPod;
      readonly sealed: SealedRunPod;
      readonly missing: readonly Missing[];
    }
  /** Something mandatory is missing; look again later. */
  | { readonly kind: 'waiting'; readonly missing: readonly Missing[] };

const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] as const;

/** Fetches what only the cluster knows and makes the intent. Throws when the API server cannot be asked: then nothing is known. */
export class Resolver {
  private readonly options: ResolverOptions;
  /** What was said of already. */
  private oddDns: string | undefined;

  constructor(options: ResolverOptions) {
    this.options = options;
  }

  /** `fresh` = what was read a moment ago is not good enough. */
  async resolve(pod: Stored<PodObject>, fresh = false): Promise<Resolution> {
    const { namespace } = pod.metadata;
    const references = referencesOf(pod);
    const contents = contentsOf(references.objects, await this.fetch(namespace, references.objects, fresh));
    if (contents.missing.some((m) => m.mandatory)) return { kind: 'waiting', missing: contents.missing };

    const [tokens, dns, serviceEnv] = await Promise.all([
      this.tokens(pod, references.tokens),
      this.dns(),
      this.serviceEnv(namespace, pod.spec.enableServiceLinks !== false),
    ]);
    if (tokens.missing) return { kind: 'waiting', missing: [...contents.missing, tokens.missing] };

    const { profile, revision } = this.options.profile();
    const split = splitPod(pod);
    return {
      kind: 'ready',
      missing: contents.missing,
      body: {
        kind: 'RunPod',
        pod: {
          uid: pod.metadata.uid,
          namespace,
          name: pod.metadata.name,
          resourceVersion: pod.metadata.resourceVersion,
          phase: PHASES.find((phase) => phase === pod.status?.phase) ?? 'Pending',
          metadata: split.metadata,
          spec: split.spec,
        },
        resolved: { profileRevision: revision, profile, ...(dns ? { dns } : {}), serviceEnv, tokens: tokens.lives },
      },
      sealed: {
        env: split.env,
        annotations: split.annotations,
        configMaps: contents.configMaps,
        secrets: contents.secrets,
        tokens: tokens.values,
        pullSecrets: [...references.pullSecrets],
      },
    };
  }

  private async fetch(
    namespace: string,
    references: readonly Reference[],
    fresh: boolean,
  ): Promise<readonly Fetched[]> {
    const names = new Map(references.map((r) => [`${r.kind} ${r.name}`, r]));
    return await Promise.all(
      [...names.values()].map(async ({ kind, name }): Promise<Fetched> => {
        const { objects } = this.options;
        return kind === 'ConfigMap'
          ? { kind, name, object: await objects.configMap(namespace, name, fresh) }
          : { kind, name, object: await objects.secret(namespace, name, fresh) };
      }),
    );
  }

  private async tokens(
    pod: Stored<PodObject>,
    references: readonly TokenReference[],
  ): Promise<{ values: Record<string, string>; lives: RunPod['resolved']['tokens']; missing?: Missing }> {
    const values: Record<string, string> = {};
    const lives: RunPod['resolved']['tokens'] = [];
    const serviceAccount = pod.spec.serviceAccountName ?? 'default';
    try {
      const tokens = await Promise.all(
        references.map(async ({ path, audience, expirationSeconds }) => ({
          path,
          ...(await requestPodToken(
            this.options.api,
            {
              namespace: pod.metadata.namespace,
              serviceAccount,
              pod: { name: pod.metadata.name, uid: pod.metadata.uid },
              audience,
              expirationSeconds,
            },
            { priority: 'high' },
          )),
        })),
      );
      for (const { path, token, issuedAt, expiresAt } of tokens) {
        values[path] = token;
        lives.push({ path, issuedAt, expiresAt });
      }
      return { values, lives };
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const message = `ServiceAccount ${serviceAccount} does not exist; the pod starts when it appears`;
      return { values, lives, missing: { reason: 'ServiceAccountNotFound', message, mandatory: true } };
    }
  }

  private async dns(): Promise<RunPod['resolved']['dns']> {
    const { clusterDns, clusterDomain, objects, logger } = this.options;
    if (clusterDns.length > 0) return { clusterDomain, nameServers: [...clusterDns] };
    const found = await objects.clusterDns();
    if (found === undefined) return undefined;
    if (isIP(found) !== 0) return { clusterDomain, nameServers: [found] };
    if (found !== this.oddDns) logger.warn('Service kube-system/kube-dns has no usable address; set CLUSTER_DNS');
    this.oddDns = found;
    return undefined;
  }

  private async serviceEnv(namespace: string, links: boolean): Promise<Record<string, string>> {
    const { objects } = this.options;
    const [own, master] = await Promise.all([links ? objects.services(namespace) : [], objects.master()]);
    return serviceEnvOf(own, master, links);
  }
}
