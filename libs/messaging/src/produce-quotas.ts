/** What a broker lets principals write, bytes a second at each broker. Who writes more is not refused: its answers are delayed. */
export interface ProduceQuotasRead {
  /** By principal; whoever is absent has none of its own. */
  readonly own: ReadonlyMap<string, number>;
  /** Of everybody who has none of their own; absent: these are not bounded. */
  readonly others?: number;
}

/** All reject with a `MessagingError`; `refused` and `unsupported` will be so tomorrow, too. Repeating a call is harmless. They try once. */
export interface ProduceQuotas {
  read(): Promise<ProduceQuotasRead>;
  /** Of one principal; undefined: none of its own. */
  of(principal: string): Promise<number | undefined>;
  /** `undefined`: none of its own. */
  set(principal: string, bytesPerSecond: number | undefined): Promise<void>;
}
