import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { isRunning } from './descendants.ts';
import { freePort } from './free-port.ts';
import { startProcess, type TestProcess } from './process.ts';
import { temporaryFolder } from './temporary-folder.ts';

const running: TestProcess[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) {
    await one.kill9();
    await one.removeLog();
  }
});

/** A web server that answers its pid, starts a child of its own, and ends with 7 when asked to. */
async function startServer(): Promise<{ server: TestProcess; url: string }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const code = `
    const child = require('node:child_process').spawn('sleep', ['600']);
    process.on('SIGTERM', () => { child.kill(); console.log('farewell'); process.exit(7); });
    require('node:http').createServer((_, r) => r.end(String(child.pid))).listen(${port}, '127.0.0.1', () => console.log('listening', process.env.WORD));
  `;
  const server = await startProcess({
    name: 'server',
    command: process.execPath,
    args: ['-e', code],
    env: { WORD: 'hello' },
    ready: async () => (await fetch(url)).ok,
  });
  running.push(server);
  return { server, url };
}

const answerOf = async (url: string): Promise<string> =>
  (await fetch(url, { signal: AbortSignal.timeout(200), headers: { connection: 'close' } })).text();

describe('startProcess', () => {
  it('waits until it is ready and captures what it prints', async () => {
    const { server } = await startServer();

    expect(server.logText()).toContain('listening hello');
    expect(server.running).toBe(true);
  });

  it('stops it by SIGTERM and tells its exit code', async () => {
    const { server } = await startServer();

    const exit = await server.stop();

    expect(exit).toEqual({ code: 7, signal: null });
    expect(server.logText()).toContain('farewell');
  });

  it('kills it with what it started, and starts it again', async () => {
    const { server, url } = await startServer();
    const child = Number(await answerOf(url));

    const exit = await server.kill9();

    expect(exit.signal).toBe('SIGKILL');
    expect(isRunning(child)).toBe(false);
    await server.start();
    expect(Number(await answerOf(url))).not.toBe(child);
  });

  it('pauses and resumes it', async () => {
    const { server, url } = await startServer();

    server.pause();

    await expect(answerOf(url)).rejects.toThrow();
    server.resume();
    await eventually(() => answerOf(url), { what: 'the resumed server answers' });
  });

  it('stops a paused one too', async () => {
    const { server } = await startServer();
    server.pause();

    await expect(server.stop()).resolves.toEqual({ code: 7, signal: null });
  });

  it('fails at once, with the log, when it ends before it is ready', async () => {
    const starting = startProcess({
      name: 'broken',
      command: process.execPath,
      args: ['-e', 'console.error("FLEET_NAME is missing"); process.exit(2)'],
      ready: () => false,
    });

    const error = await starting.then(
      () => new Error('it started'),
      (reason: Error) => reason,
    );

    expect(error.message).toMatch(/^broken: ended before it was ready \(exit code 2\)/);
    expect(error.message).toContain('FLEET_NAME is missing');
    const logFile = /kept in (\S+\.log)/.exec(error.message)![1]!;
    expect(existsSync(logFile)).toBe(true);
    rmSync(dirname(logFile), { recursive: true });
  });

  it('says which program is not there', async () => {
    await expect(startProcess({ name: 'nothing', command: '/no/such/program' })).rejects.toThrow(
      'nothing: /no/such/program cannot be started',
    );
  });
});

describe('when the process that started them is killed', () => {
  it('its children end and its folders go', async () => {
    const folder = temporaryFolder('orphans');
    const script = join(folder.path, 'parent.ts');
    const notes = join(folder.path, 'notes.json');
    writeFileSync(
      script,
      `import { writeFileSync } from 'node:fs';
       import { startProcess } from ${JSON.stringify(new URL('./process.ts', import.meta.url).href)};
       import { temporaryFolder } from ${JSON.stringify(new URL('./temporary-folder.ts', import.meta.url).href)};
       const child = await startProcess({ name: 'child', command: 'sleep', args: ['600'] });
       const deaf = await startProcess({ name: 'deaf', command: 'sh', args: ['-c', "trap '' TERM; while true; do sleep 1; done"] });
       const paused = await startProcess({ name: 'paused', command: 'sleep', args: ['600'] });
       paused.pause();
       writeFileSync(${JSON.stringify(notes)}, JSON.stringify({ pids: [child.pid, deaf.pid, paused.pid], folder: temporaryFolder('left').path }));
       setInterval(() => undefined, 1000);`,
    );
    const parent = await startProcess({
      name: 'parent',
      command: process.execPath,
      args: [script],
      ready: () => existsSync(notes) && readFileSync(notes, 'utf8').endsWith('}'),
    });
    running.push(parent);
    const { pids, folder: left } = JSON.parse(readFileSync(notes, 'utf8')) as { pids: number[]; folder: string };
    expect(pids.map(isRunning)).toEqual([true, true, true]);

    process.kill(parent.pid, 'SIGKILL');

    await eventually(() => !pids.some(isRunning), { what: 'the children have ended', deadlineMs: 15_000 });
    await eventually(() => !existsSync(left), { what: 'the folder is gone', deadlineMs: 15_000 });
    await folder.remove();
  });
});
