import { createLogger } from '#libs/observability';
import { type EnvironmentConfig, help, readConfig } from './config.ts';
import { startSimulator } from './simulator.ts';

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    console.log(help());
    return;
  }
  let config: EnvironmentConfig;
  try {
    config = await readConfig(process.env);
  } catch (error) {
    console.error(`The configuration is wrong:\n${(error as Error).message}\n\nSee --help.`);
    process.exitCode = 2;
    return;
  }
  const logger = createLogger({ level: config.logLevel, service: 'eci-simulator' });
  const simulator = await startSimulator(config, { logger });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      logger.info('stopping', { signal });
      simulator.stop().catch((error: unknown) => {
        logger.error('cannot stop cleanly', { error });
        process.exitCode = 1;
      });
    });
  }
}

main().catch((error: unknown) => {
  console.error(`eci-simulator cannot start: ${(error as Error).message}`);
  process.exitCode = 1;
});
