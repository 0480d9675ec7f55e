import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds, from a fast query to a slow start of a group. */
const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/**
 * Metrics of one process or of one part of it, in a registry of its own. Asking twice for a name answers the same object, so that parts
 * need not know who came first; asking with another kind or other labels throws. Label values must come from small sets (never a pod, an
 * id or a message).
 */
export class Metrics {
  private readonly registry = new Registry();
  private readonly known = new Map<string, { readonly shape: string; readonly metric: unknown }>();

  /** Adds what prom-client knows of a Node process (memory, event loop, garbage collection). Once per process is enough. */
  collectProcessMetrics(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  counter<L extends string = string>(name: string, help: string, labels: readonly L[] = []): Counter<L> {
    return this.once(name, `counter(${labels.join(',')})`, () => {
      return new Counter<L>({ name, help, labelNames: [...labels], registers: [this.registry] });
    });
  }

  gauge<L extends string = string>(name: string, help: string, labels: readonly L[] = []): Gauge<L> {
    return this.once(name, `gauge(${labels.join(',')})`, () => {
      return new Gauge<L>({ name, help, labelNames: [...labels], registers: [this.registry] });
    });
  }

  /** `buckets` are upper bounds in the unit of the name; default: seconds from 5 ms to 5 min. */
  histogram<L extends string = string>(
    name: string,
    help: string,
    labels: readonly L[] = [],
    buckets: readonly number[] = DEFAULT_BUCKETS,
  ): Histogram<L> {
    return this.once(name, `histogram(${labels.join(',')})`, () => {
      return new Histogram<L>({
        name,
        help,
        labelNames: [...labels],
        buckets: [...buckets],
        registers: [this.registry],
      });
    });
  }

  /** All metrics in the text format of Prometheus. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  private once<M>(name: string, shape: string, make: () => M): M {
    const known = this.known.get(name);
    if (known) {
      if (known.shape !== shape) throw new Error(`metric ${name} exists as ${known.shape}, asked for as ${shape}`);
      return known.metric as M;
    }
    const metric = make();
    this.known.set(name, { shape, metric });
    return metric;
  }
}
