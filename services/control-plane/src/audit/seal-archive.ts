import type { FullSeal } from './seal.ts';

/** What is kept under a number is not the seal that we have under it. */
export class ArchiveDiffers extends Error {
  override readonly name = 'ArchiveDiffers';
  readonly sequence: number;

  constructor(sequence: number, message: string) {
    super(message);
    this.sequence = sequence;
  }
}

/** A place beside PostgreSQL and Kafka where every seal is kept as it was made, for ever. Adapters: a folder. */
export interface SealArchive {
  /** The newest seal that is kept whole. */
  newest(): Promise<FullSeal | undefined>;
  /** Keeps a seal, durably when it resolves. To keep it again is harmless. @throws ArchiveDiffers when another is kept under its number */
  keep(seal: FullSeal): Promise<void>;
}
