import { Metrics } from '#libs/observability';

const nothing = {
  inc: () => undefined,
  dec: () => undefined,
  set: () => undefined,
  reset: () => undefined,
  observe: () => undefined,
};

/** Counts nothing: a registry for each process that is started would be a good part of a run's time. */
class NoMetrics extends Metrics {
  override counter(): never {
    return nothing as never;
  }

  override gauge(): never {
    return nothing as never;
  }

  override histogram(): never {
    return nothing as never;
  }
}

export const noMetrics: Metrics = new NoMetrics();
