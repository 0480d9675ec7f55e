import type { MacKey } from '#libs/messaging';

/** Keys under which clusters are spoken to. */
export interface SigningKeys {
  /** By cluster; an unregistered one has no entry. A key that cannot be read throws when it is used, so that other clusters do not wait for it. */
  signing(clusterIds: readonly string[]): Promise<ReadonlyMap<string, () => MacKey>>;
}

/** What publishing needs to know of clusters. */
export interface KnownClusters {
  /** Undefined: there never was such a cluster. */
  find(clusterId: string): Promise<{ readonly live: boolean } | undefined>;
  /** Every cluster that may be spoken to. */
  live(): Promise<readonly { readonly id: string }[]>;
  /** What is believed of the cluster may be old. */
  forget(clusterId: string): void;
}
