export interface BucketShape {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** Token buckets by name. Full at first sight. `null` = no limit. */
export class Buckets {
  private readonly levels = new Map<string, { tokens: number; at: number }>();

  take(name: string, shape: BucketShape | null, now: number): boolean {
    if (!shape) return true;
    const level = this.levels.get(name) ?? { tokens: shape.burst, at: now };
    const refilled = Math.min(shape.burst, level.tokens + (Math.max(0, now - level.at) / 1000) * shape.ratePerSecond);
    const granted = refilled >= 1;
    this.levels.set(name, { tokens: granted ? refilled - 1 : refilled, at: Math.max(now, level.at) });
    return granted;
  }

  clear(): void {
    this.levels.clear();
  }
}

const perMinute = (count: number): BucketShape => ({ ratePerSecond: count / 60, burst: count });

/** The API quota page of the ECI docs: calls a minute, per account and action. */
export const PUBLISHED_BUCKETS: Readonly<Record<string, BucketShape | null>> = {
  DescribeContainerGroupStatus: perMinute(10_000),
  DescribeContainerGroupEvents: perMinute(10_000),
  DescribeRegions: perMinute(10_000),
  DescribeContainerGroups: perMinute(2_000),
  CreateContainerGroup: perMinute(1_000),
  DeleteContainerGroup: perMinute(1_000),
  '*': perMinute(1_000),
};

/** The newer limits page: create and delete are a bucket of 100 that refills with 20 a second. */
export const NEWER_BUCKETS: Readonly<Record<string, BucketShape | null>> = {
  ...PUBLISHED_BUCKETS,
  CreateContainerGroup: { ratePerSecond: 20, burst: 100 },
  DeleteContainerGroup: { ratePerSecond: 20, burst: 100 },
};

export const NO_BUCKETS: Readonly<Record<string, BucketShape | null>> = { '*': null };
