/** What publishing needs to know of clusters. */
export interface KnownClusters {
  /** Undefined: there never was such a cluster. */
  find(clusterId: string): Promise<{ readonly live: boolean } | undefined>;
  /** Every cluster that may be spoken to. */
  live(): Promise<readonly { readonly id: string }[]>;
  /** What is believed of the cluster may be old. */
  forget(clusterId: string): void;
}
