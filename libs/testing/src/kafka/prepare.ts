import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prepared, rigKey, rigsFolder } from '../preparing/cache.ts';
import { terminalProgress, type Progress } from '../preparing/progress.ts';
import { RigUnavailable } from '../preparing/rig-unavailable.ts';
import { runTool } from '../preparing/tool.ts';
import { repositoryFolder } from '../repository.ts';

const ELSE = 'or set KAFKA_BROKERS to a broker of yours';

/** Oldest Java that a Kafka 4 broker runs on. */
const JAVA_MAJOR = 17;

/** Where the broker's jars are, or will be. */
async function kafkaFolder(): Promise<string> {
  const pom = await readFile(join(declaration(), 'pom.xml'), 'utf8');
  const version = /<artifactId>kafka_[\d.]+<\/artifactId>\s*<version>([^<]+)</.exec(pom)?.[1];
  if (version === undefined) throw new Error(`no version of Kafka found in ${join(declaration(), 'pom.xml')}`);
  return join(rigsFolder(), rigKey('kafka', version, { 'pom.xml': pom }));
}

/** Fetches the broker's jars with Maven if the cache lacks them (seconds); returns their folder. Checks that a fitting Java is there. */
export async function prepareKafka(progress: Progress = terminalProgress): Promise<string> {
  await checkJava();
  const target = await kafkaFolder();
  return prepared({
    target,
    name: 'kafka',
    progress,
    build: (folder) =>
      progress.during('kafka: fetching the broker from Maven Central', async () => {
        await runTool({
          command: 'mvn',
          args: [
            '-q',
            '-B',
            `-f${join(declaration(), 'pom.xml')}`,
            'dependency:copy-dependencies',
            '-DincludeScope=runtime',
            `-DoutputDirectory=${folder}`,
          ],
          remedy: `install Maven (3.8 or newer) to fetch the Kafka broker, ${ELSE}`,
        });
      }),
  });
}

async function checkJava(): Promise<void> {
  const remedy = `install Java ${JAVA_MAJOR} or newer to run the Kafka broker, ${ELSE}`;
  const text = await runTool({ command: javaProgram(), args: ['-version'], remedy });
  const major = Number(/version "(\d+)/.exec(text)?.[1]);
  if (major < JAVA_MAJOR) throw new RigUnavailable(`The Java on the PATH is version ${major}: ${remedy}.`);
}

/** The Java of JAVA_HOME, as Java's own tools choose it, else of the PATH. */
export function javaProgram(): string {
  const home = process.env['JAVA_HOME'];
  return home ? join(home, 'bin', 'java') : 'java';
}

function declaration(): string {
  return join(repositoryFolder, 'test', 'rigs', 'kafka');
}
