import type { AsideItem } from '#libs/observability';

/** A part of the control plane that runs by itself: a role, or a loop of one. */
export interface RunningRole {
  /** Finishes what was claimed or begun, begins nothing new. */
  stop(): Promise<void>;
  /** What keeps it from working now; undefined when nothing does. */
  trouble(): string | undefined;
  /** What it has set aside while the rest goes on: no reason to call the process not ready. */
  setAside(): readonly AsideItem[];
}

/** Starts loops that are one role: they stop together, and the trouble of one is the role's. */
export function startTogether(loops: readonly (RunningRole & { start(): void })[]): RunningRole {
  for (const loop of loops) loop.start();
  return {
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
    trouble: () => loops.map((loop) => loop.trouble()).find((trouble) => trouble !== undefined),
    setAside: () => loops.flatMap((loop) => loop.setAside()),
  };
}
