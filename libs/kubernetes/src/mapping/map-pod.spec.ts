import { describe, expect, it } from 'vitest';
import { mapPod } from './map-pod.ts';
import { base64, inputOf, mapped, nginxContainer, refusalOf } from '../../spec/pod-samples.ts';

describe('a plain pod', () => {
  it('becomes a container group, with token, CA and namespace as files, and cluster DNS', () => {
    const { spec, need, ignored } = mapped(mapPod(inputOf()));
    expect(spec).toEqual({
      name: 'shop-nginx',
      region: 'cn-hangzhou',
      restartPolicy: 'Always',
      containers: [
        {
          name: 'nginx',
          image: 'nginx:1.27',
          imagePullPolicy: 'IfNotPresent',
          command: [],
          args: [],
          env: [],
          ports: [],
          mounts: [
            { volume: 'kube-api-access-x7k2p', path: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
          ],
          security: { addCapabilities: [] },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
        },
      ],
      initContainers: [],
      volumes: [
        {
          kind: 'files',
          name: 'kube-api-access-x7k2p',
          defaultMode: 420,
          files: [
            { path: 'token', content: base64('TOKEN') },
            { path: 'ca.crt', content: base64('CERT') },
            { path: 'namespace', content: base64('shop') },
          ],
        },
      ],
      securityGroupIds: ['sg-1'],
      registryCredentials: [],
      dns: {
        policy: 'None',
        nameServers: ['10.96.0.10'],
        searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
        options: [{ name: 'ndots', value: '5' }],
      },
      hostAliases: [],
      hostName: 'nginx',
      terminationGracePeriodSeconds: 30,
      sysctls: [],
      tags: {},
    });
    expect(need).toEqual({
      accountId: 'default',
      region: 'cn-hangzhou',
      vSwitches: [{ vSwitchId: 'vsw-h' }, { vSwitchId: 'vsw-k' }],
      scheduleStrategy: 'default',
      specs: ['2-4Gi'],
      chargeType: 'on-demand',
      spotFallback: false,
      failStrategy: 'fail-back',
      priority: 0,
    });
    expect(ignored).toEqual([]);
  });
});

describe('security', () => {
  it('of the pod holds for containers that state none', () => {
    const { spec } = mapped(
      mapPod(
        inputOf({
          securityContext: {
            runAsUser: 1000,
            runAsGroup: 3000,
            runAsNonRoot: true,
            fsGroup: 2000,
            seccompProfile: { type: 'RuntimeDefault' },
            sysctls: [
              { name: 'net.ipv4.ip_unprivileged_port_start', value: '0' },
              { name: 'net/core/somaxconn', value: '1024' },
            ],
          },
          containers: [
            nginxContainer({
              securityContext: {
                runAsUser: 7,
                readOnlyRootFilesystem: true,
                allowPrivilegeEscalation: false,
                capabilities: { add: ['CAP_NET_ADMIN'], drop: ['ALL'] },
              },
            }),
            nginxContainer({
              name: 'b',
              securityContext: { readOnlyRootFilesystem: false, privileged: false, procMount: 'Default' },
            }),
          ],
        }),
      ),
    );
    expect(spec.containers.map(({ security }) => security)).toEqual([
      {
        runAsUser: 7,
        runAsGroup: 3000,
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        addCapabilities: ['NET_ADMIN'],
      },
      { runAsUser: 1000, runAsGroup: 3000, runAsNonRoot: true, addCapabilities: [] },
    ]);
    expect(spec.sysctls).toEqual([
      { name: 'net.ipv4.ip_unprivileged_port_start', value: '0', safe: true },
      { name: 'net.core.somaxconn', value: '1024', safe: false },
    ]);
  });
});

describe('name resolution', () => {
  it('merges dnsConfig into the cluster’s DNS', () => {
    const dnsConfig = {
      nameservers: ['1.1.1.1', '10.96.0.10'],
      searches: ['example.org'],
      options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
    };
    expect(mapped(mapPod(inputOf({ dnsConfig }))).spec.dns).toEqual({
      policy: 'None',
      nameServers: ['10.96.0.10', '1.1.1.1'],
      searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.org'],
      options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
    });
  });

  it('acts as Default when the cluster’s DNS is not known, and says so', () => {
    const input = inputOf();
    const { dns: _, ...resolved } = input.resolved;
    const { spec, ignored } = mapped(mapPod({ ...input, resolved }));
    expect(spec.dns).toBeUndefined();
    expect(ignored.map(({ field }) => field)).toEqual(['spec.dnsPolicy']);
  });

  it('takes host names and aliases', () => {
    const { spec } = mapped(
      mapPod(
        inputOf({ hostname: 'web-0', subdomain: 'web', hostAliases: [{ ip: '10.1.1.1', hostnames: ['a', 'b'] }] }),
      ),
    );
    expect(spec).toMatchObject({ hostName: 'web-0', hostAliases: [{ ip: '10.1.1.1', hostnames: ['a', 'b'] }] });
  });
});

describe('images', () => {
  const auth = (user: string, password: string): string => base64(`${user}:${password}`);
  const config = (auths: object): { type: string; data: Record<string, string> } => ({
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': base64(JSON.stringify({ auths })) },
  });

  it('are pulled with the credentials of the Secrets, the first of a server first', () => {
    const { spec, ignored } = mapped(
      mapPod(
        inputOf(
          { imagePullSecrets: [{ name: 'one' }, { name: 'two' }, { name: 'gone' }] },
          {
            sealed: {
              pullSecrets: ['one', 'two', 'gone'],
              secrets: {
                one: config({
                  'https://index.docker.io/v1/': { auth: auth('u', 'p:w') },
                  'r.example': { username: 'a', password: 'b' },
                }),
                two: {
                  type: 'kubernetes.io/dockercfg',
                  data: {
                    '.dockercfg': base64(
                      JSON.stringify({ 'r.example': { auth: auth('x', 'y') }, 'q.example/': { auth: auth('c', 'd') } }),
                    ),
                  },
                },
              },
            },
          },
        ),
      ),
    );
    expect(spec.registryCredentials).toEqual([
      { server: 'index.docker.io', userName: 'u', password: 'p:w' },
      { server: 'r.example', userName: 'a', password: 'b' },
      { server: 'q.example', userName: 'c', password: 'd' },
    ]);
    expect(ignored).toEqual([{ field: "spec.imagePullSecrets['gone']", reason: 'The Secret is not there.' }]);
  });

  it.each([
    { what: 'is of another type', secret: { type: 'Opaque', data: { password: base64('canary-password') } } },
    {
      what: 'is of a service account',
      secret: { type: 'kubernetes.io/service-account-token', data: { token: 'canary' } },
    },
    { what: 'is empty', secret: { type: 'kubernetes.io/dockerconfigjson', data: {} } },
    { what: 'is a dockercfg under the wrong key', secret: { ...config({ q: {} }), type: 'kubernetes.io/dockercfg' } },
    {
      what: 'is not JSON',
      secret: { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': base64('canary-password') } },
    },
    {
      what: 'names no registry',
      secret: { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': base64('{"canary":1}') } },
    },
  ])('skip a Secret that $what, say so as a warning, and never show what it holds', ({ secret }) => {
    const secrets = { odd: secret, good: config({ 'r.example': { username: 'a', password: 'b' } }) };

    const { spec, ignored } = mapped(mapPod(inputOf({}, { sealed: { pullSecrets: ['odd', 'good'], secrets } })));

    expect(spec.registryCredentials).toEqual([{ server: 'r.example', userName: 'a', password: 'b' }]);
    expect(ignored).toEqual([
      {
        field: "spec.imagePullSecrets['odd']",
        reason: expect.stringMatching(/^The (Secret|key)/) as string,
        warning: 'FailedToRetrieveImagePullSecret',
      },
    ]);
    expect(JSON.stringify(ignored)).not.toContain('canary');
  });
});

describe('a container for debugging', () => {
  it('that was added to the pod leaves the pod as it is', () => {
    const debugged = mapped(
      mapPod(inputOf({ ephemeralContainers: [{ name: 'debugger', image: 'busybox', tty: true }] })),
    );

    expect(debugged).toEqual(mapped(mapPod(inputOf({}))));
  });
});

describe('what cannot be given', () => {
  const many = (count: number): object[] => Array.from({ length: count }, (_, n) => nginxContainer({ name: `c${n}` }));

  it.each([
    [{ hostNetwork: true }, 'spec.hostNetwork: ECI has no host network'],
    [{ hostPID: true }, 'spec.hostPID'],
    [{ readinessGates: [{ conditionType: 'x' }] }, 'spec.readinessGates'],
    [{ os: { name: 'windows' } }, 'spec.os: only Linux'],
    [{ containers: [] }, 'spec.containers: is empty'],
    [{ containers: undefined }, 'spec.containers: is missing'],
    [{ containers: many(21) }, 'spec.containers: has 21 entries; ECI takes 20'],
    [{ containers: [nginxContainer(), nginxContainer()] }, 'spec.containers[1].name: is used twice'],
    [{ containers: [nginxContainer({ image: undefined })] }, 'spec.containers[0].image: is missing'],
    [
      { containers: [nginxContainer({ securityContext: { privileged: true } })] },
      'spec.containers[0].securityContext.privileged: ECI runs no privileged containers',
    ],
    [
      { containers: [nginxContainer({ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } })] },
      'spec.containers[0].securityContext.capabilities.add[0]',
    ],
    [
      {
        containers: [
          nginxContainer({ securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'p' } } }),
        ],
      },
      'spec.containers[0].securityContext.seccompProfile',
    ],
    [
      { containers: [nginxContainer({ resources: { limits: { 'example.com/fpga': '1' } } })] },
      "spec.containers[0].resources.limits['example.com/fpga']: is no resource of ECI",
    ],
    [
      { containers: [nginxContainer({ resources: { limits: { cpu: '65' } } })] },
      'spec.containers: ask for 65-0Gi in sum',
    ],
    [
      { containers: [nginxContainer({ resources: { limits: { cpu: 'a lot' } } })] },
      'spec.containers[0].resources.limits.cpu: must be a quantity',
    ],
    [
      { initContainers: [nginxContainer({ name: 'proxy', restartPolicy: 'Always' })] },
      'spec.initContainers[0].restartPolicy: ECI has no sidecar',
    ],
    [
      { securityContext: { runAsGroup: 1 }, initContainers: [nginxContainer({ name: 'i' })] },
      'spec.securityContext.runAsGroup: cannot be given to init containers',
    ],
    [{ securityContext: { supplementalGroups: [1] } }, 'spec.securityContext.supplementalGroups'],
    [{ securityContext: { sysctls: [{ name: 'vm.swappiness', value: '1' }] } }, 'spec.securityContext.sysctls[0].name'],
    [{ dnsPolicy: 'None' }, 'spec.dnsConfig.nameservers'],
    [{ restartPolicy: 'Sometimes' }, 'spec.restartPolicy'],
  ])('%j refuses the pod', (spec, reason) => {
    expect(refusalOf(inputOf(spec as Record<string, unknown>))).toContain(reason);
  });

  it('pods of a DaemonSet', () => {
    const metadata = { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'fluentd', uid: 'u' }] };
    expect(refusalOf(inputOf({}, { metadata }))).toContain(
      'metadata.ownerReferences[0]: pods of a DaemonSet do not run on ECI',
    );
  });

  it('a profile without vSwitch or region', () => {
    const profile = { region: 'cn-hangzhou', vSwitchIds: [], enableClusterIp: true };
    expect(refusalOf(inputOf({}, { resolved: { profile } }))).toContain(
      'profile.vSwitchIds: is empty; set ECI_VSWITCH',
    );
    expect(refusalOf(inputOf({}, { resolved: { profile: { ...profile, region: '', vSwitchIds: ['v'] } } }))).toContain(
      'profile.region: is empty',
    );
  });
});
