/**
 * Ends what its parent started once the parent is gone, however it went. The parent holds the other end of our standard input: the
 * kernel closes it at exit, crash and `kill -9` alike. Imports nothing of ours, so that it starts fast and cannot fail with us.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const processes = new Map<number, NodeJS.Signals>();
const folders = new Set<string>();

interface Order {
  watch?: number;
  signal?: NodeJS.Signals;
  forget?: number;
  folder?: string;
  forgetFolder?: string;
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function removeFolders(): void {
  for (const folder of folders) {
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      folders.delete(folder);
    } catch {
      // Something still writes there: tried again below.
      continue;
    }
  }
}

// Ctrl-C reaches the parent, which takes its things down; we only come after it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const order = JSON.parse(line) as Order;
  if (order.watch !== undefined) processes.set(order.watch, order.signal ?? 'SIGTERM');
  if (order.forget !== undefined) processes.delete(order.forget);
  if (order.folder !== undefined) folders.add(order.folder);
  if (order.forgetFolder !== undefined) folders.delete(order.forgetFolder);
});
lines.on('close', () => {
  for (const [pid, signal] of processes) {
    signalGroup(pid, signal);
    signalGroup(pid, 'SIGCONT');
  }
  const killAt = performance.now() + 3_000;
  const giveUpAt = performance.now() + 6_000;
  const check = (): void => {
    const killNow = performance.now() >= killAt;
    for (const pid of processes.keys()) {
      if (!signalGroup(pid, killNow ? 'SIGKILL' : 0)) processes.delete(pid);
    }
    if (processes.size > 0 && performance.now() < giveUpAt) return;
    clearInterval(timer);
    removeFolders();
    setTimeout(removeFolders, 300);
  };
  const timer = setInterval(check, 50);
  check();
});
