import { join } from 'node:path';
import { Agent, request } from 'undici';

interface ControlPlaneSettings {
  /** Where the keys are. */
  readonly folder: string;
  readonly etcd: string;
  readonly apiPort: number;
  readonly controllerPort: number;
  readonly schedulerPort: number;
  readonly kubeconfig: string;
  readonly nodeMonitorGraceSeconds: number;
  readonly kubeletAuthority: string | undefined;
}

/** Command lines of the three parts around etcd. */
export function controlPlaneFlags(
  settings: ControlPlaneSettings,
): Record<'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler', string[]> {
  const { folder, etcd, apiPort, controllerPort, schedulerPort, kubeconfig } = settings;
  const file = (name: string): string => join(folder, name);
  const serving = (port: number): string[] => [
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${file('server.crt')}`,
    `--tls-private-key-file=${file('server.key')}`,
  ];
  return {
    'kube-apiserver': [
      `--etcd-servers=${etcd}`,
      ...serving(apiPort),
      `--client-ca-file=${file('ca.crt')}`,
      `--service-account-key-file=${file('service-accounts.pub')}`,
      `--service-account-signing-key-file=${file('service-accounts.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--authorization-mode=Node,RBAC',
      `--kubelet-client-certificate=${file('kubelet-client.crt')}`,
      `--kubelet-client-key=${file('kubelet-client.key')}`,
      '--kubelet-preferred-address-types=InternalIP,Hostname',
      ...(settings.kubeletAuthority === undefined
        ? []
        : [`--kubelet-certificate-authority=${settings.kubeletAuthority}`]),
      '--allow-privileged=true',
      '--endpoint-reconciler-type=none',
    ],
    'kube-controller-manager': [
      `--kubeconfig=${kubeconfig}`,
      ...serving(controllerPort),
      `--service-account-private-key-file=${file('service-accounts.key')}`,
      `--root-ca-file=${file('ca.crt')}`,
      `--cluster-signing-cert-file=${file('ca.crt')}`,
      `--cluster-signing-key-file=${file('ca.key')}`,
      '--use-service-account-credentials=true',
      '--leader-elect=false',
      `--node-monitor-grace-period=${settings.nodeMonitorGraceSeconds}s`,
    ],
    'kube-scheduler': [`--kubeconfig=${kubeconfig}`, ...serving(schedulerPort), '--leader-elect=false'],
  };
}

/** Whether the controller manager or the scheduler on this port calls itself healthy. */
export async function componentAnswers(port: number, authority: string): Promise<boolean> {
  const agent = new Agent({ connect: { ca: authority } });
  try {
    const answer = await request(`https://127.0.0.1:${port}/healthz`, { dispatcher: agent });
    await answer.body.dump();
    return answer.statusCode === 200;
  } finally {
    await agent.destroy();
  }
}
