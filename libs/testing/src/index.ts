/**
 * The real parts that tests run on: PostgreSQL, Kafka, a Kubernetes control plane, the ECI simulator, and processes under test.
 *
 * Hides: how each is fetched or built, started, asked whether it is ready, isolated, broken and ended. Guarantees: loopback only; nothing
 * outlives the process that started it, also after `kill -9`; what cannot be had fails in one sentence that says what to do. Does not:
 * know any service, skip anything, or fake anything but the heartbeat of a node. Spec files share one rig of a kind in a run and isolate
 * themselves by database, topic prefix and namespace; who breaks a rig starts one.
 */
export { untilSettled } from './postgres/settled.ts';
export { eventually } from './eventually.ts';
export { startEciSimulator, type EciSimulatorRig } from './eci-simulator.ts';
export { kafkaConfigs } from './kafka/configs-tool.ts';
export { prepareKafka } from './kafka/prepare.ts';
export { rawKafka } from './kafka/raw-kafka.ts';
export { startKafka, type KafkaRig } from './kafka/start.ts';
export { createTokenIssuer, type TokenIssuer } from './kafka/tokens.ts';
export { type ApiAnswer } from './kubernetes/api.ts';
export {
  createCertificateAuthority,
  newTls,
  type CertificateAuthority,
  type KeyAndCertificate,
  type TestTls,
} from './kubernetes/certificates.ts';
export { KubernetesCluster } from './kubernetes/cluster.ts';
export { PodsWithoutKubelet } from './kubernetes/pods-without-kubelet.ts';
export { prepareKubernetes } from './kubernetes/prepare.ts';
export { startKubernetes, type KubernetesOptions, type KubernetesRig } from './kubernetes/start.ts';
export { createDatabase, migrate, type TestDatabase } from './postgres/databases.ts';
export { startPostgres, type PostgresRig } from './postgres/start.ts';
export { RigUnavailable } from './preparing/rig-unavailable.ts';
export { terminalProgress } from './preparing/progress.ts';
export { prepareLastRelease } from './releases/prepare.ts';
export { freePort, freePorts } from './processes/free-port.ts';
export { listeningSockets, type ListeningSocket } from './processes/listening.ts';
export { startProcess, TestProcess } from './processes/process.ts';
export { temporaryFolder, type TemporaryFolder } from './processes/temporary-folder.ts';
export {
  createEmptyDatabase,
  createTestDatabase,
  sharedKafka,
  sharedKubernetes,
  topicPrefix,
  type KafkaOfTheRun,
} from './shared/for-specs.ts';
