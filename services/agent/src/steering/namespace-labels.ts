import type { Clock } from '#libs/runtime';
import type { Labels } from '../profile/selectors.ts';

/** How long an answer about a namespace that the copy does not hold counts. */
const FOUND_MS = 1_000;
const ABSENT_MS = 5_000;
const MOST_REMEMBERED = 1_000;
/** Questions at the same time; whoever names namespaces that are not there has no more of the agent's requests than these. */
const MOST_ASKED_AT_ONCE = 16;

/** Nobody could say now; the pod goes unsteered. */
export class NamespaceUnknown extends Error {
  override readonly name = 'NamespaceUnknown';
}

interface NamespaceLabelsOptions {
  readonly clock: Clock;
  /** From the copy that follows the API server; undefined: not there, or there is no copy yet. */
  readonly known: (name: string) => Labels | undefined;
  /** From the API server; undefined: there is no such namespace. */
  readonly ask: (name: string) => Promise<Labels | undefined>;
}

/**
 * Labels of the namespaces that reviews name. Anybody who reaches the webhook can name any: what the copy holds costs nothing, and the rest is asked
 * for by few questions at a time, whose answers are remembered, those of absence too. A namespace that was made a moment ago is found by them.
 */
export class NamespaceLabels {
  private readonly options: NamespaceLabelsOptions;
  private readonly remembered = new Map<string, { readonly until: number; readonly labels: Labels | undefined }>();
  private readonly asked = new Map<string, Promise<Labels | undefined>>();

  constructor(options: NamespaceLabelsOptions) {
    this.options = options;
  }

  /** @throws NamespaceUnknown, or what kept the API server from answering. */
  async of(name: string): Promise<Labels> {
    const labels = this.options.known(name) ?? (await this.lookedUp(name));
    if (labels === undefined) throw new NamespaceUnknown('the pod is of a namespace that is not there');
    return labels;
  }

  private lookedUp(name: string): Promise<Labels | undefined> {
    const kept = this.remembered.get(name);
    if (kept && kept.until > this.options.clock.now()) return Promise.resolve(kept.labels);
    const asked = this.asked.get(name);
    if (asked) return asked;
    if (this.asked.size >= MOST_ASKED_AT_ONCE && kept?.labels === undefined)
      return Promise.reject(new NamespaceUnknown('too many namespaces that are not known are asked about'));
    const asking = this.askFor(name);
    this.asked.set(name, asking);
    return asking;
  }

  private async askFor(name: string): Promise<Labels | undefined> {
    const { ask, clock } = this.options;
    try {
      const labels = await ask(name);
      this.remembered.delete(name);
      this.remembered.set(name, { until: clock.now() + (labels ? FOUND_MS : ABSENT_MS), labels });
      const [oldest] = this.remembered.keys();
      if (this.remembered.size > MOST_REMEMBERED && oldest !== undefined) this.remembered.delete(oldest);
      return labels;
    } finally {
      this.asked.delete(name);
    }
  }
}
