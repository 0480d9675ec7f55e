import { ConfigurationError } from '#libs/configuration';
import { createLogger } from '#libs/observability';
import { runProgram } from '#libs/runtime';
import { type EnvironmentConfig, help, readConfig } from './config.ts';
import { startSimulator } from './simulator.ts';

async function main(): Promise<number> {
  let config: EnvironmentConfig;
  try {
    config = await readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(`eci-simulator: ${error.message}\nSee --help for every variable.`);
    return 2;
  }
  const logger = createLogger({ level: config.logLevel, service: 'eci-simulator' });
  const simulator = await startSimulator(config, { logger });
  // Printed, not logged: a log is kept and passed on.
  if (config.controlToken === undefined) console.error(`control API: ${simulator.controlUrl}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      logger.info('stopping', { signal });
      simulator.stop().catch((error: unknown) => {
        logger.error('cannot stop cleanly', { error });
        process.exitCode = 1;
      });
    });
  }
  return 0;
}

runProgram({ name: 'eci-simulator', help, options: {}, run: main }, process.argv.slice(2)).then(
  (code) => (process.exitCode ??= code),
  (error: unknown) => {
    console.error(`eci-simulator cannot start: ${(error as Error).message}`);
    process.exitCode = 1;
  },
);
