import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

let orders: Socket | undefined;

function tell(order: object): void {
  if (orders === undefined) {
    const reaper = spawn(process.execPath, [fileURLToPath(new URL('./reaper-main.ts', import.meta.url))], {
      // Its own session: what kills our process group must not kill the one who cleans up after us.
      detached: true,
      cwd: '/',
      env: {},
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    reaper.unref();
    const pipe = reaper.stdin as Socket;
    pipe.unref();
    pipe.on('error', () => undefined);
    orders = pipe;
  }
  orders.write(`${JSON.stringify(order)}\n`);
}

/**
 * One small process beside ours that ends our children and removes our temporary folders when we are gone, also after `kill -9`. Children
 * must lead their own process group (`detached: true`).
 */
export const reaper = {
  watch: (pid: number, signal: NodeJS.Signals): void => tell({ watch: pid, signal }),
  forget: (pid: number): void => tell({ forget: pid }),
  watchFolder: (folder: string): void => tell({ folder }),
  forgetFolder: (folder: string): void => tell({ forgetFolder: folder }),
};
