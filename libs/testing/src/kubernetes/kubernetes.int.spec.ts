import { createServer, type Server } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { freePort } from '../processes/free-port.ts';
import { sharedKubernetes } from '../shared/for-specs.ts';
import { createCertificateAuthority } from './certificates.ts';
import type { KubernetesCluster } from './cluster.ts';
import type { HealthyNode } from './healthy-node.ts';
import { startKubernetes } from './start.ts';

interface Pod {
  metadata: { name: string; annotations?: Record<string, string> };
  spec: { nodeName?: string; serviceAccountName: string };
  status: { phase: string; conditions?: { type: string; reason: string }[] };
}

describe('the control plane of a run', () => {
  let cluster: KubernetesCluster;
  let namespace: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    cluster = await sharedKubernetes();
    ({ name: namespace, drop } = await cluster.createNamespace({ 'eci-fleet-spec': 'kubernetes' }));
  });
  afterAll(async () => {
    await drop();
    await cluster.close();
  });

  const pods = async (selector: string): Promise<Pod[]> => {
    const list = await cluster.api.call('GET', `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`);
    return list.items as Pod[];
  };
  const onePod = (selector: string, fits: (pod: Pod) => boolean): Promise<Pod> =>
    eventually(async () => (await pods(selector)).find(fits), {
      what: `a pod ${selector} that fits`,
      deadlineMs: 30_000,
    });

  it('makes the pods of a Deployment, which stay Pending for want of a node that fits', async () => {
    await cluster.kubectl(['-n', namespace, 'apply', '-f', '-'], { input: deployment('web', { 'rig/none': 'such' }) });

    const pod = await onePod('app=web', ({ status }) =>
      (status.conditions ?? []).some(({ reason }) => reason === 'Unschedulable'),
    );

    expect(pod.status.phase).toBe('Pending');
    expect(pod.spec.serviceAccountName).toBe('default');
  });

  it('binds pods to a healthy node, and makes the pods of a CronJob', async () => {
    const node: HealthyNode = await cluster.addHealthyNode({ labels: { 'rig/for': namespace } });
    await cluster.kubectl(['-n', namespace, 'apply', '-f', '-'], {
      input: deployment('bound', { 'rig/for': namespace }),
    });
    await cluster.kubectl(['-n', namespace, 'create', 'cronjob', 'tick', '--image=busybox', '--schedule=0 0 1 1 *']);
    await cluster.kubectl(['-n', namespace, 'create', 'job', 'tock', '--from=cronjob/tick']);

    const bound = await onePod('app=bound', ({ spec }) => spec.nodeName !== undefined);
    await onePod('job-name=tock', () => true);

    expect(bound.spec.nodeName).toBe(node.name);
    await node.remove();
  });

  it('lets a service account do what its role says and nothing else', async () => {
    const admin = (...args: string[]) => cluster.kubectl(['-n', namespace, ...args]);
    await admin('create', 'serviceaccount', 'reader');
    await admin('create', 'role', 'pod-reader', '--verb=get,list', '--resource=pods');
    await admin('create', 'rolebinding', 'reader', '--role=pod-reader', `--serviceaccount=${namespace}:reader`);
    const kubeconfig = await cluster.serviceAccountKubeconfig({ namespace, name: 'reader' });

    const asReader = (...args: string[]) => cluster.kubectl(['-n', namespace, ...args], { kubeconfig, check: false });

    expect((await asReader('get', 'pods')).exitCode).toBe(0);
    const refused = await asReader('get', 'secrets');
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(`User "system:serviceaccount:${namespace}:reader" cannot list resource "secrets"`);
  });

  it('fails a kubectl call with what kubectl said', async () => {
    await expect(cluster.kubectl(['-n', namespace, 'get', 'pod', 'nobody'])).rejects.toThrow(
      /kubectl .* failed with exit code 1: Error from server \(NotFound\)/,
    );
  });

  describe('with a mutating webhook by URL', () => {
    let server: Server;
    const configuration = (): string => `eci-fleet-spec-${namespace}`;
    beforeAll(async () => {
      const authority = await createCertificateAuthority('webhook');
      const { key, certificate } = await authority.issue({ commonName: 'webhook', ips: ['127.0.0.1'] });
      const port = await freePort();
      server = createServer({ key, cert: certificate }, (request, response) => {
        let text = '';
        request.on('data', (chunk) => (text += chunk));
        request.on('end', () => {
          const { apiVersion, kind, request: review } = JSON.parse(text);
          const patch = [{ op: 'add', path: '/metadata/annotations', value: { seen: 'by-webhook' } }];
          const answer = {
            uid: review.uid,
            allowed: true,
            patchType: 'JSONPatch',
            patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
          };
          response.setHeader('content-type', 'application/json');
          response.end(JSON.stringify({ apiVersion, kind, response: answer }));
        });
      });
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      await cluster.api.call('POST', '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'MutatingWebhookConfiguration',
        metadata: { name: configuration() },
        webhooks: [
          {
            name: 'spec.eci-fleet.test',
            clientConfig: {
              url: `https://127.0.0.1:${port}/mutate`,
              caBundle: Buffer.from(authority.certificate).toString('base64'),
            },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
            objectSelector: { matchLabels: { hooked: 'yes' } },
            failurePolicy: 'Ignore',
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
          },
        ],
      });
    });
    afterAll(async () => {
      await cluster.api.ask(
        'DELETE',
        `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${configuration()}`,
      );
      server.closeAllConnections();
      server.close();
    });

    it('lets it change new pods', async () => {
      let made = 0;

      const annotations = await eventually(
        async () => {
          // The API server learns of a new webhook in its own time.
          const pod = (await cluster.api.call('POST', `/api/v1/namespaces/${namespace}/pods`, {
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name: `hooked-${made++}`, labels: { hooked: 'yes' } },
            spec: { containers: [{ name: 'main', image: 'nginx' }] },
          })) as Pod;
          return pod.metadata.annotations;
        },
        { what: 'a pod that the webhook has seen', everyMs: 200, deadlineMs: 30_000 },
      );

      expect(annotations).toMatchObject({ seen: 'by-webhook' });
    });
  });
});

describe('a control plane of its own', () => {
  it('keeps its objects over kill -9 of API server and etcd', async () => {
    const rig = await startKubernetes();
    const { api } = rig.cluster;
    const { name } = await rig.cluster.createNamespace();

    await rig.apiServer.kill9();
    await rig.etcd.kill9();
    await expect(api.ask('GET', '/readyz')).rejects.toThrow();
    await rig.etcd.start();
    await rig.apiServer.start();

    expect((await api.ask('GET', `/api/v1/namespaces/${name}`)).status).toBe(200);
    await eventually(
      async () => (await api.ask('GET', `/api/v1/namespaces/${name}/configmaps/kube-root-ca.crt`)).status === 200,
      { what: 'the controllers work again', deadlineMs: 60_000 },
    );
    await rig.stop();
  });
});

function deployment(name: string, nodeSelector: Record<string, string>): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { nodeSelector, containers: [{ name: 'main', image: 'nginx' }] },
      },
    },
  });
}
