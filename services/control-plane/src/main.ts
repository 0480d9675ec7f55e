#!/usr/bin/env node
import { createLogger } from '#libs/observability';
import { helpText } from './config-variables.ts';
import { ConfigurationError, readConfig, readTokenKeyConfig, type ControlPlaneConfig } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import { publicJwks } from './sessions/access-tokens.ts';
import { StoppedWaiting } from './wait-for.ts';

const ARGUMENTS = new Set(['--help', '-h', '--print-jwks']);

async function main(): Promise<void> {
  const given = process.argv.slice(2);
  const unknown = given.filter((argument) => !ARGUMENTS.has(argument));
  if (unknown.length > 0) {
    process.stderr.write(`control-plane: unknown argument ${unknown.join(' ')}; see --help\n`);
    process.exitCode = 2;
  } else if (given.includes('--help') || given.includes('-h')) {
    process.stdout.write(helpText());
  } else if (given.includes('--print-jwks')) {
    process.stdout.write(`${JSON.stringify(await publicJwks(readTokenKeyConfig(process.env)), null, 2)}\n`);
  } else {
    await run(readConfig(process.env));
  }
}

async function run(config: ControlPlaneConfig): Promise<void> {
  const logger = createLogger({ level: config.logLevel, service: 'control-plane' });
  const asked = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        logger.info('stop asked for', { signal });
        asked.abort();
        resolve();
      });
    }
  });
  try {
    const controlPlane = await startControlPlane(config, { logger, signal: asked.signal });
    await stopped;
    await controlPlane.stop();
    logger.info('stopped');
  } catch (error) {
    if (error instanceof StoppedWaiting) return;
    logger.error('the control plane cannot run', { error });
    process.exitCode = 1;
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`control-plane: ${error.message}\nSee --help for every variable.\n`);
  process.exitCode = 2;
}
