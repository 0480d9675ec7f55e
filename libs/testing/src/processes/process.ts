import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, GiveUp } from '../eventually.ts';
import { descendants, isRunning } from './descendants.ts';
import { reaper } from './reaper.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

interface ProcessOptions {
  /** For messages and the log file's name. */
  readonly name: string;
  readonly command: string;
  readonly args?: readonly string[];
  /** The whole environment beside PATH, HOME, TMPDIR and LANG: nothing else of ours leaks into a process under test. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Asked until its answer is truthy; a throw means "not yet". Without it the process counts as ready once it was spawned. */
  readonly ready?: (process: TestProcess) => unknown;
  /** Milliseconds until `ready` must hold. Default 60,000. */
  readonly readyDeadlineMs?: number;
  /** How it is asked to end. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** Folder for `<name>.log`. Default: a temporary one, removed by `stop`. */
  readonly logFolder?: string;
}

interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts a process and waits until it is ready. A failure names the last lines of its log, and where the whole log was kept. */
export async function startProcess(options: ProcessOptions): Promise<TestProcess> {
  const started = new TestProcess(options);
  try {
    await started.start();
  } catch (error) {
    const { code, signal } = await started.kill9();
    // A program that is not there has no log worth keeping.
    if (code === null && signal === null) await started.removeLog();
    else started.keepLog();
    throw error;
  }
  return started;
}

/** A process that can be broken on purpose. It ends with us, whatever ends us. */
export class TestProcess {
  readonly name: string;
  /** Where its standard output and error go, over all of its starts. */
  readonly logFile: string;
  readonly #options: ProcessOptions;
  readonly #ownFolder: TemporaryFolder | undefined;
  #child: ChildProcess | undefined;
  #exited: Promise<ProcessExit> = Promise.resolve({ code: null, signal: null });
  #exit: ProcessExit | undefined;
  #logKept = false;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.name = options.name;
    this.#ownFolder = options.logFolder === undefined ? temporaryFolder(options.name) : undefined;
    this.logFile = join(options.logFolder ?? this.#ownFolder!.path, `${options.name}.log`);
  }

  get running(): boolean {
    return this.#child !== undefined && this.#exit === undefined;
  }

  get pid(): number {
    if (!this.running || this.#child?.pid === undefined) throw new Error(`${this.name} is not running`);
    return this.#child.pid;
  }

  /** How its latest run ended; undefined while it runs. */
  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /** Resolves when the present run ends. */
  exited(): Promise<ProcessExit> {
    return this.#exited;
  }

  /** Starts it, for the first time or again with the same command, and waits until it is ready. */
  async start(): Promise<void> {
    if (this.running) throw new Error(`${this.name} runs already, as process ${this.pid}`);
    const { command, args = [], env = {}, cwd, uid, gid, stopSignal = 'SIGTERM' } = this.#options;
    const log = openSync(this.logFile, 'a');
    let child: ChildProcess;
    try {
      writeSync(log, `--- ${command} ${args.join(' ')}\n`);
      child = spawn(command, args, {
        // Its own process group: Ctrl-C reaches us alone, and we take it down in order.
        detached: true,
        stdio: ['ignore', log, log],
        env: { ...inherited(), ...env },
        ...(cwd === undefined ? {} : { cwd }),
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      });
    } finally {
      closeSync(log);
    }
    this.#child = child;
    this.#exit = undefined;
    const { pid } = child;
    if (pid !== undefined) reaper.watch(pid, stopSignal);
    this.#exited = new Promise((resolve, reject) => {
      child.once('exit', (code, signal) => {
        if (pid !== undefined) reaper.forget(pid);
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
      child.once('error', (error) => {
        if (child.pid !== undefined) return;
        this.#exit = { code: null, signal: null };
        reject(new Error(`${this.name}: ${command} cannot be started: ${error.message}`));
      });
    });
    this.#exited.catch(() => undefined);
    if (pid === undefined) await this.#exited;
    await this.untilReady();
  }

  /** Waits until `ready` holds (again); fails at once when the process ends. */
  async untilReady(): Promise<void> {
    const { ready, readyDeadlineMs = 60_000 } = this.#options;
    if (ready === undefined) return;
    const ended = (): Error => this.#failure(`ended before it was ready (${describeExit(this.#exit)})`);
    try {
      await eventually(
        async () => {
          if (this.#exit !== undefined) throw new GiveUp(ended());
          return ready(this);
        },
        { what: `${this.name} is ready`, deadlineMs: readyDeadlineMs, everyMs: 100 },
      );
    } catch (error) {
      if (this.#exit !== undefined) throw ended();
      throw this.#failure(error instanceof Error ? error.message : String(error));
    }
  }

  /** `kill -9`, also for what it started itself; resolves when it is gone. */
  async kill9(): Promise<ProcessExit> {
    if (!this.running) return this.#exited.catch(() => ({ code: null, signal: null }));
    const { pid } = this;
    const below = descendants(pid);
    this.#signal('SIGKILL', below);
    const exit = await this.#exited;
    // Who inherits them reaps them; until then a new run could still meet them.
    await eventually(() => below.every((child) => !isRunning(child)), {
      what: `children of ${this.name} are gone`,
      deadlineMs: 5_000,
    }).catch(() => undefined);
    return exit;
  }

  /** Stops it in its tracks (SIGSTOP), with what it started: connections stay open and nothing answers. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
    this.#signal('SIGSTOP', descendants(this.pid));
  }

  /** Lets a paused process go on (SIGCONT). */
  resume(): void {
    this.#signal('SIGCONT', descendants(this.pid));
  }

  /**
   * Asks it to end and waits. After `graceMs` (default 15,000) it is killed, and the answer's signal says so. Its log stays readable through
   * `logText` until `removeLog`.
   */
  async stop(graceMs = 15_000): Promise<ProcessExit> {
    if (this.running) {
      const { pid } = this;
      process.kill(pid, this.#options.stopSignal ?? 'SIGTERM');
      this.#signal('SIGCONT', descendants(pid));
      const timer = setTimeout(() => {
        if (this.running) this.#signal('SIGKILL', descendants(pid));
      }, graceMs);
      await this.#exited;
      clearTimeout(timer);
    }
    return this.#exited;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Everything it has written so far. */
  logText(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  /** Keeps the log file beyond our own end. */
  keepLog(): void {
    this.#logKept = true;
    this.#ownFolder?.keep();
  }

  /** Removes the log file if nobody wanted it kept; not needed when this process ends anyway. */
  async removeLog(): Promise<void> {
    if (!this.#logKept) await this.#ownFolder?.remove();
  }

  #signal(signal: NodeJS.Signals, below: readonly number[]): void {
    for (const target of [-this.pid, ...below]) {
      try {
        process.kill(target, signal);
      } catch {
        continue; // gone already
      }
    }
  }

  #failure(what: string): Error {
    const lines = this.logText().trimEnd().split('\n').slice(-12).join('\n  ');
    return new Error(`${this.name}: ${what}. Its log is kept in ${this.logFile}; the last lines:\n  ${lines}`);
  }
}

function describeExit(exit: ProcessExit | undefined): string {
  return exit?.signal != null ? `signal ${exit.signal}` : `exit code ${exit?.code ?? 'unknown'}`;
}

function inherited(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'TMPDIR', 'LANG', 'JAVA_HOME']) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
