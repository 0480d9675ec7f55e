import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { eventually } from '../eventually.ts';
import { freePorts } from '../processes/free-port.ts';
import { startProcess, type TestProcess } from '../processes/process.ts';
import { temporaryFolder } from '../processes/temporary-folder.ts';
import { createCertificateAuthority, createServiceAccountKeys } from './certificates.ts';
import { KubernetesCluster, writeKubeconfig, type KubernetesConnection } from './cluster.ts';
import { componentAnswers, controlPlaneFlags } from './flags.ts';
import { prepareKubernetes } from './prepare.ts';

export interface KubernetesOptions {
  /** Seconds without a heartbeat after which a node counts as dead. Default 40, as Kubernetes has it. */
  readonly nodeMonitorGraceSeconds?: number;
  /** PEM: the API server then trusts only kubelets whose serving certificate this authority signed. `true`: the cluster's own authority. */
  readonly kubeletAuthority?: string | true;
  /** Further flags of a part, as `--name=value`. */
  readonly flags?: Partial<
    Readonly<Record<'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler', readonly string[]>>
  >;
}

export interface KubernetesRig {
  readonly cluster: KubernetesCluster;
  /** To break them: `kill9`, `pause`, `resume`, `stop`, `start`. Same ports and data at the next start. */
  readonly etcd: TestProcess;
  readonly apiServer: TestProcess;
  readonly controllerManager: TestProcess;
  readonly scheduler: TestProcess;
  /** Ends all parts and removes what they made; their logs stay when `keepLogs`. */
  stop(options?: { keepLogs?: boolean }): Promise<void>;
}

/**
 * A real control plane of its own on loopback: etcd, API server, controller manager, scheduler; no kubelet and no node. About ten seconds
 * and 900 MB. Ready means: objects can be made, and every namespace gets its default service account and root authority.
 */
export async function startKubernetes(options: KubernetesOptions = {}): Promise<KubernetesRig> {
  const programs = await prepareKubernetes();
  const folder = temporaryFolder('kubernetes');
  const logs = temporaryFolder('kubernetes-logs');
  const running: TestProcess[] = [];
  let cluster: KubernetesCluster | undefined;
  const discard = async (): Promise<void> => {
    // All at once and without farewell: their data goes with them.
    await Promise.all(running.map((part) => part.kill9()));
    await cluster?.close();
    await folder.remove();
  };
  try {
    const [etcdPort, etcdPeerPort, apiPort, controllerPort, schedulerPort] = (await freePorts(5)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const server = `https://127.0.0.1:${apiPort}`;
    const keys = await writeKeys(folder.path);
    const access = { server, authority: keys.authority, ...keys.admin };
    const connection: KubernetesConnection = {
      ...access,
      kubeconfig: join(folder.path, 'admin.kubeconfig'),
      kubectl: programs.kubectl,
    };
    await writeKubeconfig(connection.kubeconfig, access, keys.admin);
    const ownAuthority = join(folder.path, 'kubelet-ca.crt');
    if (typeof options.kubeletAuthority === 'string') await writeFile(ownAuthority, options.kubeletAuthority);
    const flags = controlPlaneFlags({
      folder: folder.path,
      etcd: `http://127.0.0.1:${etcdPort}`,
      apiPort,
      controllerPort,
      schedulerPort,
      kubeconfig: connection.kubeconfig,
      nodeMonitorGraceSeconds: options.nodeMonitorGraceSeconds ?? 40,
      kubeletAuthority:
        options.kubeletAuthority === true
          ? join(folder.path, 'ca.crt')
          : options.kubeletAuthority === undefined
            ? undefined
            : ownAuthority,
    });
    const start = async (name: keyof typeof flags, ready: () => unknown): Promise<TestProcess> => {
      const part = await startProcess({
        name,
        command: programs[name],
        args: [...flags[name], ...(options.flags?.[name] ?? [])],
        cwd: folder.path,
        logFolder: logs.path,
        ready,
        readyDeadlineMs: 120_000,
      });
      running.push(part);
      return part;
    };
    const etcd = await startProcess({
      name: 'etcd',
      command: programs.etcd,
      args: [`--config-file=${await writeEtcdConfig(folder.path, etcdPort, etcdPeerPort)}`],
      cwd: folder.path,
      logFolder: logs.path,
      ready: async () => (await fetch(`http://127.0.0.1:${etcdPort}/health`)).ok,
    });
    running.push(etcd);
    const ready = new KubernetesCluster(connection);
    cluster = ready;
    const apiServer = await start('kube-apiserver', async () => (await ready.api.ask('GET', '/readyz')).status === 200);
    const [controllerManager, scheduler] = await Promise.all([
      start('kube-controller-manager', () => componentAnswers(controllerPort, keys.authority)),
      start('kube-scheduler', () => componentAnswers(schedulerPort, keys.authority)),
    ]);
    await eventually(
      async () => {
        const account = await ready.api.ask('GET', '/api/v1/namespaces/default/serviceaccounts/default');
        const authority = await ready.api.ask('GET', '/api/v1/namespaces/default/configmaps/kube-root-ca.crt');
        return account.status === 200 && authority.status === 200;
      },
      { what: 'namespace default has its service account and its root authority', deadlineMs: 60_000, everyMs: 100 },
    );
    return {
      cluster: ready,
      etcd,
      apiServer,
      controllerManager,
      scheduler,
      async stop({ keepLogs = false } = {}) {
        await discard();
        if (keepLogs) logs.keep();
        else await logs.remove();
      },
    };
  } catch (error) {
    logs.keep();
    await discard();
    throw error;
  }
}

interface ClusterKeys {
  readonly authority: string;
  readonly admin: { readonly certificate: string; readonly key: string };
}

/** Writes every key and certificate that the parts read, by the names that `flags.ts` gives them. */
async function writeKeys(folder: string): Promise<ClusterKeys> {
  const authority = await createCertificateAuthority('eci-fleet-rig');
  const [server, kubeletClient, admin] = await Promise.all([
    authority.issue({
      commonName: 'kube-apiserver',
      dns: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
      ips: ['127.0.0.1', '10.96.0.1'],
    }),
    authority.issue({ commonName: 'kube-apiserver-kubelet-client', organization: 'system:masters' }),
    authority.issue({ commonName: 'rig-admin', organization: 'system:masters' }),
  ]);
  const serviceAccounts = createServiceAccountKeys();
  const files: Record<string, string> = {
    'ca.crt': authority.certificate,
    'ca.key': authority.key,
    'server.crt': server.certificate,
    'server.key': server.key,
    'kubelet-client.crt': kubeletClient.certificate,
    'kubelet-client.key': kubeletClient.key,
    'service-accounts.key': serviceAccounts.privateKey,
    'service-accounts.pub': serviceAccounts.publicKey,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 });
  return { authority: authority.certificate, admin };
}

async function writeEtcdConfig(folder: string, port: number, peerPort: number): Promise<string> {
  const dataDir = join(folder, 'etcd');
  await mkdir(dataDir, { mode: 0o700 });
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const file = join(folder, 'etcd.yaml');
  const config = {
    name: 'rig',
    'data-dir': dataDir,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `rig=${peer}`,
    'unsafe-no-fsync': true,
    'log-level': 'warn',
  };
  await writeFile(file, stringify(config));
  return file;
}
