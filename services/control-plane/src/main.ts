#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { createLogger, withoutRepeats } from '#libs/observability';
import { helpText } from './config-variables.ts';
import { ConfigurationError, readConfig, readTokenKeyConfig, type ControlPlaneConfig } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import { makeKeyFiles } from './keys/make-key-files.ts';
import { publicJwks } from './sessions/access-tokens.ts';
import { StoppedWaiting } from './wait-for.ts';

async function main(): Promise<void> {
  let given: { help?: boolean; 'print-jwks'?: boolean; 'make-keys'?: string };
  try {
    given = parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        'print-jwks': { type: 'boolean' },
        'make-keys': { type: 'string' },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`control-plane: ${(error as Error).message}; see --help\n`);
    process.exitCode = 2;
    return;
  }
  if (given.help) {
    process.stdout.write(helpText());
  } else if (given['print-jwks']) {
    process.stdout.write(`${JSON.stringify(await publicJwks(readTokenKeyConfig(process.env)), null, 2)}\n`);
  } else if (given['make-keys'] !== undefined) {
    const { masterKeyFile, tokenKeyFile, auditKeyFile } = await makeKeyFiles(given['make-keys']);
    process.stdout.write(
      `FLEET_MASTER_KEY_FILE=${masterKeyFile}\nFLEET_TOKEN_KEY_FILE=${tokenKeyFile}\nFLEET_AUDIT_KEY_FILE=${auditKeyFile}\n`,
    );
  } else {
    await run(readConfig(process.env));
  }
}

async function run(config: ControlPlaneConfig): Promise<void> {
  const logger = withoutRepeats(createLogger({ level: config.logLevel, service: 'control-plane' }), Date.now);
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
