import { spawn } from 'node:child_process';
import { reaper } from '../processes/reaper.ts';
import { RigUnavailable } from './rig-unavailable.ts';

interface ToolRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The sentence's end when the tool is not there: what to install or which variable to set. */
  readonly remedy: string;
}

/** Runs a build tool to its end and returns all it printed. Not there, or failed: one sentence, with the last lines it printed. */
export async function runTool({ command, args, cwd, env, remedy }: ToolRun): Promise<string> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its own group: when we are told to end, the reaper ends it with all it started.
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  }
  // A build that outlived us would hold the machine for minutes, for nobody.
  const { pid } = child;
  if (pid !== undefined) reaper.watch(pid, 'SIGTERM');
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code === 0) return output;
    const tail = output.trim().split('\n').slice(-15).join('\n  ');
    throw new RigUnavailable(`\`${command} ${args.join(' ')}\` failed with exit code ${code}:\n  ${tail}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new RigUnavailable(`\`${command}\` is not on the PATH: ${remedy}.`, { cause: error });
    }
    throw error;
  } finally {
    if (pid !== undefined) reaper.forget(pid);
  }
}
