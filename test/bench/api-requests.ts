import type { KubernetesCluster } from '#libs/testing';

type Counts = ReadonlyMap<string, number>;

/** What an API server was asked to do, by verb and resource, as it counts itself. */
export class ApiRequests {
  readonly #cluster: KubernetesCluster;
  #before: Counts = new Map();

  constructor(cluster: KubernetesCluster) {
    this.#cluster = cluster;
  }

  async begin(): Promise<void> {
    this.#before = await read(this.#cluster);
  }

  /** Since `begin`, for each of `count` pieces of work: `3.4 a pod: PATCH pods/status 1.1, …`; the rare ones are in the sum only. */
  async end({ count, unit }: { readonly count: number; readonly unit: string }): Promise<string> {
    const after = await read(this.#cluster);
    const each = [...after]
      .map(([what, total]) => [what, (total - (this.#before.get(what) ?? 0)) / count] as const)
      .sort((a, b) => b[1] - a[1]);
    const often = each.filter(([, n]) => n >= 0.05).map(([what, n]) => `${what} ${n.toFixed(2)}`);
    return `${each.reduce((sum, [, n]) => sum + n, 0).toFixed(1)} a ${unit}: ${often.join(', ')}`;
  }
}

async function read(cluster: KubernetesCluster): Promise<Counts> {
  const { body } = await cluster.api.ask('GET', '/metrics');
  const counts = new Map<string, number>();
  for (const [, labels = '', value] of String(body).matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)) {
    const label = (name: string): string => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    const [resource, subresource] = [label('resource'), label('subresource')];
    if (resource === '') continue;
    const what = `${label('verb')} ${resource}${subresource === '' ? '' : `/${subresource}`}`;
    counts.set(what, (counts.get(what) ?? 0) + Number(value));
  }
  return counts;
}
