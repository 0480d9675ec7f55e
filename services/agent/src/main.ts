import { ConfigurationError } from '#libs/configuration';
import { createLogger, withoutRepeats } from '#libs/observability';
import { runProgram } from '#libs/runtime';
import { startAgent } from './agent.ts';
import { helpText, loadAgentConfig, type AgentConfig } from './config.ts';

async function main(): Promise<number> {
  let config: AgentConfig;
  try {
    config = loadAgentConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`agent: ${error.message}\nSee --help for every variable.\n`);
    return 2;
  }
  const logger = withoutRepeats(createLogger({ level: config.logLevel, service: 'agent' }), Date.now);
  const agent = await startAgent(config, { logger, collectProcessMetrics: true });
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        logger.info('stopping', { signal });
        resolve();
      });
    }
  });
  await agent.stop();
  logger.info('stopped');
  return 0;
}

runProgram({ name: 'agent', help: helpText, options: {}, run: main }, process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(`the agent cannot run: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
