import { join } from 'node:path';
import { runTool } from '../preparing/tool.ts';
import { javaProgram, prepareKafka } from './prepare.ts';

/** What Kafka's own `kafka-configs.sh` prints for these arguments, from the jars of the broker. Failed: throws with its last lines. */
export async function kafkaConfigs(args: readonly string[]): Promise<string> {
  const jars = await prepareKafka();
  return runTool({
    command: javaProgram(),
    args: [
      '-Xmx128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-cp',
      join(jars, '*'),
      'kafka.admin.ConfigCommand',
      ...args,
    ],
    remedy: "install Java 17 or newer to run Kafka's tools",
  });
}
