/** Lines for people who wait. */
export interface Progress {
  say(line: string): void;
  /** Runs `work`, saying what begins, every 15 s how long it takes already, and the time it took. */
  during<T>(what: string, work: () => Promise<T>): Promise<T>;
}

/** Progress on standard error, so that standard output stays free for what a command prints as its result. */
export const terminalProgress: Progress = {
  say: (line) => void process.stderr.write(`${line}\n`),
  async during(what, work) {
    const began = performance.now();
    const elapsed = (): string => inMinutes(performance.now() - began);
    terminalProgress.say(`${what} …`);
    const timer = setInterval(() => terminalProgress.say(`${what} … ${elapsed()}`), 15_000);
    try {
      const result = await work();
      terminalProgress.say(`${what}: done in ${elapsed()}`);
      return result;
    } finally {
      clearInterval(timer);
    }
  },
};

/** `75400` → `1m 15s`. */
export function inMinutes(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`;
}
