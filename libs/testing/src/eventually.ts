import { inspect } from 'node:util';

interface EventuallyOptions {
  /** What is awaited, as it should read in the failure: "pod nginx is Running". */
  readonly what: string;
  /** How long to keep asking, in milliseconds. Default 10,000. */
  readonly deadlineMs?: number;
  /** Pause between two questions, in milliseconds. Default 50. */
  readonly everyMs?: number;
}

type Falsy = false | null | undefined | 0 | '';

/**
 * Asks until the answer is truthy and returns it. A throw or a falsy answer means "not yet", so a condition made of assertions ends with
 * `return true`. After the deadline it throws, naming what was awaited and the last answer or error.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  options: EventuallyOptions,
): Promise<Exclude<Awaited<T>, Falsy>> {
  const { what, deadlineMs = 10_000, everyMs = 50 } = options;
  const deadline = performance.now() + deadlineMs;
  let last = 'it never answered';
  for (;;) {
    const left = deadline - performance.now();
    if (left <= 0) break;
    // A question that hangs must not outlive the deadline.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), left);
    });
    try {
      const answer = await Promise.race([
        Promise.resolve()
          .then(condition)
          .then((value) => ({ value })),
        late,
      ]);
      if (answer === undefined) break;
      if (answer.value) return answer.value as Exclude<Awaited<T>, Falsy>;
      last = `last value: ${inspect(answer.value, { depth: 4 })}`;
    } catch (error) {
      if (error instanceof GiveUp) throw error.cause;
      last = `last error: ${error instanceof Error ? error.message : inspect(error)}`;
    } finally {
      clearTimeout(timer);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(everyMs, Math.max(0, deadline - performance.now()))));
  }
  throw new Error(`${what}: not within ${deadlineMs} ms; ${last}`);
}

/** Thrown by a condition that knows it can never hold: `eventually` ends at once with the cause. */
export class GiveUp extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
    this.name = 'GiveUp';
  }
}
