import { prepareKafka, prepareKubernetes, RigUnavailable, terminalProgress } from '#libs/testing';
import { up } from './up.ts';

const HELP = `The real parts that tests run on.

  npm run rigs            Prepares whatever is missing: Kafka's jars (Maven), the Kubernetes control plane (Go). PostgreSQL comes with npm.
  npm run rigs -- up      Starts Kafka, PostgreSQL, a Kubernetes control plane and the ECI simulator on loopback, prints the variables to use
                          them as \`export NAME=value\` lines, then \`ready\`. Ctrl-C takes all of it down.
  npm run rigs -- --help  This text.

Variables
  ECI_FLEET_CACHE     Where prepared parts are kept. Default: $XDG_CACHE_HOME/eci-fleet, else ~/.cache/eci-fleet
  KAFKA_BROKERS       Brokers of yours, as host:port,host:port, instead of ours
  DATABASE_URL        A PostgreSQL server of yours, as postgres://user:password@host:port/database, instead of ours; databases are made there
  KUBEBUILDER_ASSETS  A folder with etcd, kube-apiserver, kubectl of yours (and kube-controller-manager, kube-scheduler, else ours are built)
`;

async function prepare(): Promise<void> {
  if (process.env['KAFKA_BROKERS']) terminalProgress.say('kafka: KAFKA_BROKERS is set, nothing to prepare');
  else await prepareKafka();
  await prepareKubernetes();
  terminalProgress.say('rigs: all prepared');
}

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  if (rest.length === 0) {
    if (command === undefined) {
      await prepare();
      return 0;
    }
    if (command === 'up') return up();
    if (command === '--help' || command === '-h' || command === 'help') {
      process.stdout.write(HELP);
      return 0;
    }
  }
  process.stderr.write(`rigs: \`${args.join(' ')}\` is not known: use no argument, \`up\` or \`--help\`\n`);
  return 2;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // What a person can mend is said in a sentence; a stack is for what nobody expected.
  const text = error instanceof RigUnavailable ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`rigs: ${text}\n`);
  process.exitCode = 1;
}
