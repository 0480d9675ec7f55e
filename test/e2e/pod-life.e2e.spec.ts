import { eventually } from '#libs/testing';
import { describe, expect, it } from 'vitest';
import { useFleet, ZONES } from './support/fleet.ts';

const fleet = useFleet();
const kubectl = (...args: string[]): Promise<string> => fleet.pods.kubectl(...args);

describe('the life of one pod', () => {
  it('runs a labelled pod on the virtual node, tells its story, and ends it', async () => {
    // given a cluster whose agent has joined, and a pod that runs beside
    await kubectl('run', 'neighbour', '--image', 'nginx', '-l', 'alibabacloud.com/eci=true');
    await fleet.pods.untilPhase('neighbour', 'Running');
    const node = await fleet.pods.cluster.api.call('GET', '/api/v1/nodes/virtual-kubelet');
    expect(node.metadata.labels.type).toBe('virtual-kubelet');
    expect(node.spec.taints).toContainEqual({
      key: 'virtual-kubelet.io/provider',
      value: 'alibabacloud',
      effect: 'NoSchedule',
    });

    // when a user runs a pod with the documented label
    await kubectl('run', 'nginx', '--image', 'nginx', '-l', 'alibabacloud.com/eci=true');

    // then it becomes a container group and comes back with an address
    const pod = await fleet.pods.untilPhase('nginx', 'Running');
    const { uid } = pod.metadata;
    const [group, ...others] = await fleet.simulator.groupsOf(uid);
    expect(others).toEqual([]);
    expect(group).toMatchObject({ zone: ZONES[0], ip: pod.status.podIP, spec: expect.any(String) });
    expect(group!.tags).toMatchObject({
      'eci-fleet': fleet.name,
      'eci-fleet-cluster': fleet.clusterId,
      'eci-fleet-pod-uid': uid,
      'eci-fleet-attempt': '1',
      'eci-fleet-namespace': 'default',
      'eci-fleet-pod': 'nginx',
    });
    expect(await kubectl('get', 'pod', 'nginx', '-o', 'wide')).toMatch(
      new RegExp(`nginx +1/1 +Running +0 .*${pod.status.podIP!.replaceAll('.', '\\.')} +virtual-kubelet`),
    );
    await kubectl('wait', '--for=condition=Ready', 'pod/nginx', '--timeout=20s');
    // whose conditions are met, since when they are, and for no reason
    const { status, metadata } = await fleet.pods.get('nginx');
    for (const { type, status: met, reason, message, lastTransitionTime } of status.conditions) {
      expect({ type, met, reason, message }).toEqual({ type, met: 'True' });
      expect(Date.parse(lastTransitionTime)).toBeGreaterThanOrEqual(Date.parse(metadata.creationTimestamp));
    }
    expect([status.podIPs, status.hostIPs]).toEqual([[{ ip: status.podIP }], [{ ip: status.hostIP }]]);

    // and kubectl debug, which ECI cannot serve, is told so, while the pod runs on
    await kubectl('debug', 'nginx', '--image', 'busybox', '-c', 'debugger', '--attach=false', '--', 'true');
    const debugged = await fleet.pods.until('nginx', 'says what became of the container for debugging', (object) =>
      object.status.ephemeralContainerStatuses?.some(
        (each: { state: { terminated?: { reason: string } } }) => each.state.terminated?.reason === 'NotSupported',
      ),
    );
    expect(debugged.status.phase).toBe('Running');
    await fleet.pods.untilEvent('nginx', 'DebugContainersNotSupported');

    // and its events tell the story, in order
    await fleet.pods.untilEvent('nginx', 'ContainerGroupLanded');
    const described = await kubectl('describe', 'pod', 'nginx');
    for (const reason of [
      'Scheduled',
      'PodAccepted',
      'PlacementChosen',
      'ContainerGroupCreated',
      'ContainerGroupLanded',
    ])
      expect(described).toContain(reason);
    expect(described).toContain(group!.containerGroupId);

    // and the phases were seen as they happened
    expect((await fleet.history(uid)).map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        'PodIntentAccepted',
        'PlacementChosen',
        'ContainerGroupCreated',
        'ContainerGroupLanded',
        'ContainersChanged',
      ]),
    );

    // when it is deleted
    await kubectl('delete', 'pod', 'nginx', '--grace-period=1', '--wait=false');

    // then the group ends first, and the object goes within seconds of it
    await eventually(async () => (await fleet.simulator.groupsOf(uid))[0]!.status === 'Gone', {
      what: 'the container group is gone',
      deadlineMs: 15_000,
    });
    await fleet.pods.untilGone('nginx', { deadlineMs: 5_000 });

    // and the history shows every event with time, actor and cause
    const events = await fleet.untilHistory(uid, 'PodObjectGone');
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['StopRequested', 'DeleteAccepted', 'ContainerGroupGone', 'PodObjectGone']),
    );
    expect(events.map(({ version }) => version)).toEqual(events.map((_, index) => index + 1));
    for (const event of events) {
      expect(Date.parse(event.at)).toBeGreaterThan(Date.parse(pod.metadata.creationTimestamp) - 1_000);
      expect(event.actor).toMatch(/^(agent|control-plane):/);
      expect(event.cause, `${event.type} has a cause`).toEqual(expect.any(String));
    }
    const times = events.map(({ at }) => Date.parse(at));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('shows while it starts how its init container fares, what the cloud says of it, and why the system ends it', async () => {
    // given a pod whose init container crashes each time, and which has ten minutes to live
    await fleet.pods.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'crashing', labels: { 'alibabacloud.com/eci': 'true' } },
      spec: {
        restartPolicy: 'OnFailure',
        activeDeadlineSeconds: 600,
        initContainers: [{ name: 'prepare', image: 'busybox', command: ['sh', '-c', 'exit 1'] }],
        containers: [{ name: 'web', image: 'nginx' }],
      },
    });

    // then its restarts are counted while the group stays Pending
    const prepared = await fleet.pods.until('crashing', 'shows two restarts of its init container', ({ status }) => {
      const [init] = status.initContainerStatuses ?? [];
      return init?.restartCount >= 2 && init.state.waiting?.reason === 'CrashLoopBackOff';
    });
    expect(prepared.status.phase).toBe('Pending');
    for (const reason of ['Pulled', 'Created', 'Started', 'BackOff']) await fleet.pods.untilEvent('crashing', reason);

    // and when its time is over, that is why it failed
    await fleet.simulator.control('PATCH', '/clock', { advanceMs: 600_000 });
    const { status } = await fleet.pods.untilPhase('crashing', 'Failed');
    expect(status).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    await kubectl('delete', 'pod', 'crashing', '--wait=false');
  });

  it('takes every pod of a labelled namespace, and leaves others alone', async () => {
    // given a namespace labelled as the product's documentation says, and one that is not
    await kubectl('create', 'namespace', 'burst');
    await kubectl('label', 'namespace', 'burst', 'alibabacloud.com/eci=true');
    await kubectl('create', 'namespace', 'plain');
    await eventually(
      async () => {
        const { items } = await fleet.pods.cluster.api.call('GET', '/api/v1/serviceaccounts');
        return ['burst', 'plain'].every((name) =>
          items.some((account: { metadata: { namespace: string } }) => account.metadata.namespace === name),
        );
      },
      { what: 'the namespaces have their service accounts' },
    );

    // when the same pod is made in both
    await kubectl('run', 'web', '--image', 'nginx', '-n', 'burst');
    await kubectl('run', 'web', '--image', 'nginx', '-n', 'plain');

    // then one runs, and the other waits for a node of its own
    await fleet.pods.untilPhase('web', 'Running', { namespace: 'burst' });
    const other = await fleet.pods.until(
      'web',
      'is found unschedulable',
      (pod) => pod.status.conditions?.[0]?.reason === 'Unschedulable',
      {
        namespace: 'plain',
      },
    );
    expect(other.spec.nodeName).toBeUndefined();
    expect(await fleet.simulator.groupsOf(other.metadata.uid)).toEqual([]);
    await kubectl('delete', 'namespace', 'burst', 'plain', '--wait=false');
    await fleet.pods.untilGone('web', { namespace: 'burst' });
  });
});

describe('the API', () => {
  it('lists container groups, page by page and by filter', async () => {
    // given three pods that run, and nothing else
    await kubectl('delete', 'pods', '--all', '--wait=true', '--timeout=60s');
    const names = ['list-a', 'list-b', 'list-c'];
    for (const name of names) await kubectl('run', name, '--image', 'nginx', '-l', 'alibabacloud.com/eci=true');
    const pods = await Promise.all(names.map((name) => fleet.pods.untilPhase(name, 'Running')));

    // when they are asked for one a page
    const running = `/container-groups?cluster=${fleet.clusterId}&life=running`;
    await eventually(async () => (await fleet.api.get(running)).items.length === 3, {
      what: 'the read model shows three that run',
    });
    const listed = await fleet.api.all(`${running}&limit=1`);

    // then each comes once, newest first, and filters narrow the list
    expect(listed.map(({ name }) => name)).toEqual(['list-c', 'list-b', 'list-a']);
    const [{ podUid, containerGroupId, zone, podIp }] = listed;
    expect(podUid).toBe(pods[2]!.metadata.uid);
    expect(podIp).toBe(pods[2]!.status.podIP);
    for (const query of [`name=list-c`, `podUid=${podUid}`, `containerGroupId=${containerGroupId}`]) {
      const { items } = await fleet.api.get(`/container-groups?${query}`);
      expect(items.map(({ name }: { name: string }) => name)).toEqual(['list-c']);
    }
    expect((await fleet.api.get(`/container-groups?name=list-c&zone=${ZONES[3]}`)).items).toEqual([]);
    expect(zone).toBe(ZONES[0]);

    // and one is shown in full under each of its names, with an ETag
    const byGroup = await fleet.api.get(`/container-groups/${containerGroupId}`);
    expect(byGroup).toMatchObject({ podUid, life: 'running', placement: { attempt: 1, outcome: 'open' } });
    expect(await fleet.api.get(`/container-groups/${encodeURIComponent(byGroup.id)}`)).toMatchObject({ podUid });
  });

  it('answers mistakes with problem details', async () => {
    const unknown = await fleet.api.ask('GET', '/api/v1/container-groups/none');
    expect(unknown).toMatchObject({ status: 404, body: { type: expect.stringContaining('not-found'), status: 404 } });
    expect(unknown.contentType).toContain('application/problem+json');
    for (const query of ['life=alive', 'limit=0', 'cursor=nonsense']) {
      const refused = await fleet.api.ask('GET', `/api/v1/container-groups?${query}`);
      expect(refused.status, query).toBe(400);
      expect(refused.body.detail).toContain(query.split('=')[0]!);
    }
  });

  it('shows clusters, accounts, an empty quarantine, and documents itself', async () => {
    const clusters = await fleet.api.all('/clusters');
    expect(clusters).toMatchObject([
      { id: fleet.clusterId, state: 'connected', accountId: 'default', session: { nodeName: 'virtual-kubelet' } },
    ]);
    const accounts = await fleet.api.all('/accounts');
    expect(accounts).toMatchObject([{ id: 'default', auth: { state: 'accepted' } }]);
    expect(JSON.stringify(accounts)).not.toContain('eci-simulator-secret');
    expect((await fleet.api.get('/quarantine')).items).toEqual([]);

    expect((await fleet.api.ask('GET', '/api/docs')).text).toContain('swagger');
    const { body: openApi } = await fleet.api.ask('GET', '/api/docs-json');
    expect(Object.keys(openApi.paths)).toEqual(
      expect.arrayContaining(
        [
          'container-groups',
          'container-groups/{id}',
          'container-groups/{id}/history',
          'clusters',
          'accounts',
          'quarantine',
        ].map((path) => `/api/v1/${path}`),
      ),
    );
  });

  it('gives a join token once, and only for a new cluster', async () => {
    const registered = await fleet.api.call('POST', '/clusters', { id: 'another', name: 'Another' });
    expect(registered).toMatchObject({
      cluster: { id: 'another', name: 'Another', state: 'registered' },
      joinToken: { token: expect.any(String) },
    });
    expect(JSON.stringify(await fleet.api.get('/clusters/another'))).not.toContain(registered.joinToken.token);
    expect(await fleet.api.ask('POST', '/api/v1/clusters', { id: 'another' })).toMatchObject({ status: 409 });
  });
});
