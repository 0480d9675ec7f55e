#!/usr/bin/env node
import { ConfigurationError, Given } from '#libs/configuration';
import { createLogger, withoutRepeats } from '#libs/observability';
import { runProgram } from '#libs/runtime';
import { helpText, readConfig, type ControlPlaneConfig } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import { makeKeyFiles } from './keys/make-key-files.ts';
import { publicJwks } from './sessions/access-tokens.ts';
import { tokenKeyVariables } from './sessions/variables.ts';
import { StoppedWaiting } from './wait-for.ts';

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
  const code = await runProgram(
    {
      name: 'control-plane',
      help: helpText,
      options: { 'print-jwks': { type: 'boolean' }, 'make-keys': { type: 'string' } },
      run: async (given) => {
        if (given['print-jwks']) {
          const environment = new Given(process.env);
          const { FLEET_TOKEN_KEY } = environment.end(environment.of(tokenKeyVariables));
          process.stdout.write(`${JSON.stringify(await publicJwks(FLEET_TOKEN_KEY), null, 2)}\n`);
        } else if (given['make-keys'] !== undefined) {
          const { masterKeyFile, tokenKeyFile, auditKeyFile } = await makeKeyFiles(given['make-keys']);
          process.stdout.write(
            `FLEET_MASTER_KEY_FILE=${masterKeyFile}\nFLEET_TOKEN_KEY_FILE=${tokenKeyFile}\nFLEET_AUDIT_KEY_FILE=${auditKeyFile}\n`,
          );
        } else {
          await run(readConfig(process.env));
        }
      },
    },
    process.argv.slice(2),
  );
  process.exitCode ??= code;
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`control-plane: ${error.message}\nSee --help for every variable.\n`);
  process.exitCode = 2;
}
