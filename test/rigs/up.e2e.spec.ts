import { execFile } from 'node:child_process';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, startProcess, temporaryFolder, type TestProcess } from '#libs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const cli = join(import.meta.dirname, 'cli.ts');

function connects(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const socket = createConnection({ host: host!, port: Number(port) });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.end());
  });
}

/** Where this machine's prepared parts are; not the servers of its user, which would outlive the command. */
function preparedParts(): Record<string, string | undefined> {
  const { ECI_FLEET_CACHE, XDG_CACHE_HOME, KUBEBUILDER_ASSETS } = process.env;
  return { ECI_FLEET_CACHE, XDG_CACHE_HOME, KUBEBUILDER_ASSETS };
}

describe('npm run rigs -- up', () => {
  let rigs: TestProcess;
  let variables: Record<string, string>;
  beforeAll(async () => {
    rigs = await startProcess({
      name: 'rigs',
      command: process.execPath,
      args: ['--conditions=source', cli, 'up'],
      env: preparedParts(),
      ready: (self) => /^ready$/m.test(self.logText()),
      readyDeadlineMs: 120_000,
    });
    variables = Object.fromEntries(
      [...rigs.logText().matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
    );
  });
  afterAll(async () => {
    await rigs.kill9();
    await rigs.removeLog();
  });

  it('prints variables with which everything can be used, and leaves nothing after Ctrl-C', async () => {
    expect(Object.keys(variables).sort()).toEqual([
      'DATABASE_URL',
      'ECI_CONTROL_URL',
      'ECI_ENDPOINT',
      'KAFKA_BROKERS',
      'KUBECONFIG',
      'PATH',
    ]);
    // Without a home kubectl keeps its cache where it was started: in the checkout.
    const home = temporaryFolder('home');
    const env = { ...variables, HOME: home.path };
    const { stdout } = await promisify(execFile)('kubectl', ['get', 'namespaces', '-o', 'name'], { env });
    await home.remove();
    expect(stdout).toContain('namespace/default');
    const addresses = [
      variables['KAFKA_BROKERS']!,
      new URL(variables['DATABASE_URL']!).host,
      new URL(variables['ECI_ENDPOINT']!).host,
    ];
    expect(await Promise.all(addresses.map(connects))).toEqual([true, true, true]);

    process.kill(rigs.pid, 'SIGINT');

    expect(await rigs.exited()).toEqual({ code: 0, signal: null });
    await eventually(async () => !(await Promise.all(addresses.map(connects))).includes(true), {
      what: 'nothing listens any more',
    });
  });
});
