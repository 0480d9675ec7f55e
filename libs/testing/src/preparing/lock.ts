import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

interface LockOptions {
  /** Called once when somebody else holds the lock. */
  readonly onWait?: (holder: LockHolder) => void;
  /** Milliseconds between two looks at a held lock. Default 500. */
  readonly everyMs?: number;
}

interface LockHolder {
  readonly pid: number;
  readonly host: string;
}

const RELEASED = 'released';
/** A holder on another machine cannot be asked whether it lives: it touches its file this often, and is taken for dead after ten misses. */
const HEARTBEAT_MS = 6_000;

/**
 * Runs `work` while no other process on this cache does. A lock whose holder died is taken over.
 *
 * The lock is a row of files `<path>.<n>`, of which the highest counts. Who finds it released or its holder dead makes the next one by
 * `link`, which only one can: there is no moment at which a stale lock is removed while another one takes it.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  let mine: string | undefined;
  while (mine === undefined) {
    const highest = highestLock(path);
    const holder = highest === 0 ? undefined : liveHolder(`${path}.${highest}`);
    if (holder === undefined) {
      mine = tryTake(path, highest + 1);
    } else {
      if (!told) options.onWait?.(holder);
      told = true;
      await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 500));
    }
  }
  const file = mine;
  const heartbeat = setInterval(() => utimesSync(file, new Date(), new Date()), HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    writeFileSync(file, RELEASED);
  }
}

function numbersOf(path: string): number[] {
  const start = `${basename(path)}.`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(start))
    .map((name) => Number(name.slice(start.length)))
    .filter((number) => Number.isInteger(number) && number > 0);
}

function highestLock(path: string): number {
  return Math.max(0, ...numbersOf(path));
}

function tryTake(path: string, number: number): string | undefined {
  const file = `${path}.${number}`;
  const draft = join(dirname(path), `.${basename(path)}-${process.pid}-${hostname()}-${performance.now()}`);
  writeFileSync(draft, JSON.stringify({ pid: process.pid, host: hostname() } satisfies LockHolder));
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  } finally {
    unlinkSync(draft);
  }
  for (const older of numbersOf(path)) if (older < number) removeQuietly(`${path}.${older}`);
  return file;
}

function removeQuietly(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    return; // another process tidied it first
  }
}

function liveHolder(file: string): LockHolder | undefined {
  let text: string;
  let touched: number;
  try {
    text = readFileSync(file, 'utf8');
    touched = statSync(file).mtimeMs;
  } catch (error) {
    // Tidied away by the holder of a higher one: look again.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { pid: 0, host: 'unknown' };
    throw error;
  }
  if (text === RELEASED) return undefined;
  // An empty file is the instant within a release; the contents of a taken one are complete from the first.
  if (text === '') return { pid: 0, host: 'unknown' };
  const holder = JSON.parse(text) as LockHolder;
  if (holder.host !== hostname()) return Date.now() - touched > 10 * HEARTBEAT_MS ? undefined : holder;
  return isAlive(holder.pid) ? holder : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
