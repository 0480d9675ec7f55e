/** One call of an adapter, before it is made. */
interface AdapterCall {
  /** Name of the method, for example `append`. */
  readonly method: string;
  readonly args: readonly unknown[];
}

/**
 * The adapter with something around each of its calls; for faults and traces. `around` decides what becomes of a call:
 *
 * - throw without `run`: it failed before it took effect;
 * - `await run()`, then throw: it took effect, and the answer was lost;
 * - wait before `run()`, after it, or both: it is slow, or late.
 *
 * `run` makes the change at once, before the promise it returns is awaited, and may be called more than once. A method that takes a piece of work
 * (`Checkpoints.transaction`) commits when `run` resolves; pass other arguments to `run` to make the commit itself fail.
 */
export function aroundEachCall<Adapter extends object>(
  adapter: Adapter,
  around: (call: AdapterCall, run: (args?: readonly unknown[]) => Promise<unknown>) => Promise<unknown>,
): Adapter {
  const wrapped = new Map<string | symbol, unknown>();
  return new Proxy(adapter, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      let call = wrapped.get(property);
      if (!call) {
        call = (...args: unknown[]) =>
          around({ method: String(property), args }, (others = args) =>
            Promise.resolve(Reflect.apply(value, target, others) as unknown),
          );
        wrapped.set(property, call);
      }
      return call;
    },
  });
}
