import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AlibabaEciClients, type AccessKey, type EciClient } from './index.ts';
import { json, localCloud } from '../spec/local-cloud.ts';

const empty = { RequestId: 'R', ContainerGroups: [], TotalCount: 0, NextToken: '' };
const group = (id: string, more: object = {}) => ({ ContainerGroupId: id, Status: 'Running', ...more });

let cloud: Awaited<ReturnType<typeof localCloud>>;
let key: AccessKey;
let client: EciClient;

beforeAll(async () => {
  cloud = await localCloud();
});
afterAll(() => cloud.close());
beforeEach(async () => {
  cloud.seen.length = 0;
  key = { accessKeyId: 'LTAI-key-id', accessKeySecret: 'secret-key-canary' };
  client = await clients(cloud.url).for('acc', 'cn-hangzhou');
});

const clients = (endpoint: string) =>
  new AlibabaEciClients([{ id: 'acc', credential: () => Promise.resolve(key), endpoint, regions: ['cn-hangzhou'] }]);

describe('reading', () => {
  it('lists by tag, 20 a page, and is complete only without a next token', async () => {
    cloud.will(
      json({ ...empty, ContainerGroups: [group('a')], NextToken: 'n1', TotalCount: 2 }),
      // A page may be empty and still not be the last.
      json({ ...empty, NextToken: 'n2', TotalCount: 2 }),
      json(empty),
    );
    const filter = { fleet: 'eci-fleet', clusterId: 'c1', podUid: 'u', attempt: 3 };
    const first = await client.list(filter);
    expect(first).toMatchObject({
      kind: 'done',
      value: { groups: [{ snapshot: { containerGroupId: 'a' } }], next: 'n1' },
    });
    expect(await client.list(filter, 'n1')).toMatchObject({ kind: 'done', value: { groups: [], next: 'n2' } });
    expect(await client.list(filter, 'n2')).toEqual({ kind: 'done', value: { groups: [] }, requestId: 'R' });
    expect(Object.fromEntries(cloud.seen[1]?.query ?? [])).toEqual({
      RegionId: 'cn-hangzhou',
      Limit: '20',
      WithEvent: 'true',
      NextToken: 'n1',
      'Tag.1.Key': 'eci-fleet',
      'Tag.1.Value': 'eci-fleet',
      'Tag.2.Key': 'eci-fleet-cluster',
      'Tag.2.Value': 'c1',
      'Tag.3.Key': 'eci-fleet-pod-uid',
      'Tag.3.Value': 'u',
      'Tag.4.Key': 'eci-fleet-attempt',
      'Tag.4.Value': '3',
    });
    expect(cloud.seen[0]?.headers['x-acs-action']).toBe('DescribeContainerGroups');
  });

  it('describes up to 20 ids in one call with all pages, more in several, and asks for nothing without ids', async () => {
    cloud.will(
      json({ ...empty, ContainerGroups: [group('a')], NextToken: 'n' }),
      json({ ...empty, ContainerGroups: [group('b')] }),
    );
    const answer = await client.describe(['a', 'b', 'gone']);
    expect(answer).toMatchObject({
      kind: 'done',
      value: [{ snapshot: { containerGroupId: 'a' } }, { snapshot: { containerGroupId: 'b' } }],
    });
    expect(cloud.seen[0]?.query.get('ContainerGroupIds')).toBe('["a","b","gone"]');
    expect(await client.describe([])).toEqual({ kind: 'done', value: [], requestId: '' });
    expect(cloud.seen).toHaveLength(2);
    expect(await client.describeOnce([])).toEqual({ kind: 'done', value: [], requestId: '' });
    expect(cloud.seen).toHaveLength(2);
    const ids = Array.from({ length: 21 }, (_, i) => `eci-${i}`);
    await expect(client.describeOnce(ids)).rejects.toThrow(/at most 20 ids, not 21/);
    cloud.will(json({ ...empty, ContainerGroups: [group('0')] }), json({ ...empty, ContainerGroups: [group('20')] }));
    expect(await client.describe(ids)).toMatchObject({ kind: 'done', value: [{}, {}] });
    const asked = cloud.seen.slice(2).map(({ query }) => query.get('ContainerGroupIds'));
    expect(new Set(asked)).toEqual(new Set([JSON.stringify(ids.slice(0, 20)), '["eci-20"]']));
  });

  it('does not turn a page for ever', async () => {
    cloud.will(json({ ...empty, NextToken: 'n' }), json({ ...empty, NextToken: 'n' }));
    expect(await client.describe(['a'])).toMatchObject({ kind: 'unknown', reason: 'the cloud repeats a page' });
  });

  it('reads details: landing, sizes, containers, init containers, events and identity', async () => {
    cloud.will(
      json({
        ...empty,
        ContainerGroups: [
          group('eci-1', {
            ContainerGroupName: 'ns-pod',
            ZoneId: 'cn-hangzhou-i',
            VSwitchId: 'vsw-a',
            InstanceType: '',
            Cpu: 2,
            Memory: 4,
            IntranetIp: '10.0.0.5',
            CreationTime: '2026-01-01T00:00:00Z',
            SucceededTime: '',
            FailedTime: '2026-01-01T01:00:00Z',
            Status: 'Failed',
            Tags: [
              { Key: 'eci-fleet', Value: 'f' },
              { Key: 'eci-fleet-cluster', Value: 'c1' },
              { Key: 'eci-fleet-pod-uid', Value: 'u1' },
              { Key: 'eci-fleet-attempt', Value: '2' },
            ],
            Containers: [
              {
                Name: 'app',
                Image: 'i:1',
                Ready: false,
                RestartCount: '3',
                CurrentState: {
                  State: 'Terminated',
                  ExitCode: 1,
                  Signal: 0,
                  Reason: 'Error',
                  Message: 'm',
                  StartTime: '2026-01-01T00:00:01Z',
                  FinishTime: '2026-01-01T00:00:02Z',
                },
                PreviousState: { State: 'Waiting', DetailStatus: 'CrashLoopBackOff' },
              },
              {
                Name: 'side',
                Image: 'i:2',
                Ready: true,
                CurrentState: { State: 'Running', StartTime: '2026-01-01T00:00:01Z' },
                PreviousState: {},
              },
              { Name: 'odd', Image: 'i:3', CurrentState: { State: 'Terminated' } },
            ],
            InitContainers: [
              { Name: 'init', Image: 'i:0', Ready: true, CurrentState: { State: 'Terminated', ExitCode: 0 } },
            ],
            Events: [
              {
                Type: 'Warning',
                Reason: 'BackOff',
                Message: 'again',
                Count: 4,
                FirstTimestamp: '2026-01-01T00:00:03Z',
                LastTimestamp: '2026-01-01T00:00:04Z',
              },
            ],
          }),
        ],
      }),
    );
    const answer = await client.list({ fleet: 'f' });
    expect(answer).toMatchObject({ kind: 'done' });
    if (answer.kind !== 'done') return;
    expect(answer.value.groups).toEqual([
      {
        identity: { fleet: 'f', clusterId: 'c1', podUid: 'u1', attempt: 2 },
        snapshot: {
          containerGroupId: 'eci-1',
          status: 'Failed',
          attempt: 2,
          zone: 'cn-hangzhou-i',
          vSwitchId: 'vsw-a',
          spec: '2-4Gi',
          cpu: 2,
          memoryGiB: 4,
          podIp: '10.0.0.5',
          createdAt: '2026-01-01T00:00:00Z',
          finishedAt: '2026-01-01T01:00:00Z',
          containers: [
            {
              name: 'app',
              image: 'i:1',
              ready: false,
              started: false,
              restartCount: 3,
              state: {
                state: 'terminated',
                exitCode: 1,
                reason: 'Error',
                message: 'm',
                startedAt: '2026-01-01T00:00:01Z',
                finishedAt: '2026-01-01T00:00:02Z',
              },
              lastState: { state: 'waiting', reason: 'CrashLoopBackOff' },
            },
            {
              name: 'side',
              image: 'i:2',
              ready: true,
              started: true,
              restartCount: 0,
              state: { state: 'running', startedAt: '2026-01-01T00:00:01Z' },
            },
            {
              name: 'odd',
              image: 'i:3',
              ready: false,
              started: false,
              restartCount: 0,
              state: { state: 'terminated', exitCode: 137, reason: 'ContainerStatusUnknown' },
            },
          ],
          initContainers: [
            {
              name: 'init',
              image: 'i:0',
              ready: true,
              started: false,
              restartCount: 0,
              state: { state: 'terminated', exitCode: 0, reason: 'Completed' },
            },
          ],
          cloudEvents: [
            {
              type: 'Warning',
              reason: 'BackOff',
              message: 'again',
              count: 4,
              firstTimestamp: '2026-01-01T00:00:03Z',
              lastTimestamp: '2026-01-01T00:00:04Z',
            },
          ],
        },
      },
    ]);
  });

  it('reads changes with the odd spellings of the status action', async () => {
    cloud.will(
      json({
        RequestId: 'R',
        NextToken: 'n',
        TotalCount: 2,
        Data: [
          {
            ContainerGroupId: 'eci-1',
            Status: 'Running',
            uuid: 'u1',
            Annotations: '{"a":"b"}',
            PodStatus: {
              Phase: 'Running',
              PodIp: '10.0.0.5',
              StartTime: '2026-01-01T00:00:10Z',
              Conditions: [
                {
                  type: 'Ready',
                  status: 'True',
                  lastTransitionTime: '2026-01-01T00:00:11Z',
                  Reason: 'r',
                  Message: 'm',
                },
                { type: 'ContainerInstanceCreated', status: 'odd' },
              ],
              ContainerStatuses: [
                {
                  Name: 'a',
                  Image: 'i',
                  ImageID: 'sha256:1',
                  Ready: true,
                  Started: true,
                  RestartCount: 1,
                  State: { Running: { StartedAtstartedAt: '2026-01-01T00:00:12Z' } },
                  LastState: {
                    Terminated: {
                      ContainerID: 'containerd://1',
                      ExitCode: 137,
                      Signal: 9,
                      Reason: 'OOMKilled',
                      StartedAt: '2026-01-01T00:00:01Z',
                      FinishedAt: '2026-01-01T00:00:02Z',
                    },
                  },
                },
                {
                  Name: 'b',
                  Image: 'i',
                  Ready: false,
                  RestartCount: 0,
                  State: { Waiting: { Reason: 'ImagePullBackOff', Message: 'no' } },
                  LastState: {},
                },
              ],
            },
          },
          { ContainerGroupId: 'eci-2', Status: 'BrandNew' },
        ],
      }),
    );
    const answer = await client.changes({ fleet: 'f' }, 7);
    expect(answer).toEqual({
      kind: 'done',
      requestId: 'R',
      value: {
        next: 'n',
        groups: [
          {
            containerGroupId: 'eci-1',
            status: 'Running',
            podIp: '10.0.0.5',
            startedAt: '2026-01-01T00:00:10Z',
            conditions: [
              { type: 'Ready', status: 'True', reason: 'r', message: 'm', lastTransitionTime: '2026-01-01T00:00:11Z' },
              { type: 'ContainerInstanceCreated', status: 'Unknown' },
            ],
            containers: [
              {
                name: 'a',
                image: 'i',
                imageId: 'sha256:1',
                ready: true,
                started: true,
                restartCount: 1,
                state: { state: 'running', startedAt: '2026-01-01T00:00:12Z' },
                lastState: {
                  state: 'terminated',
                  exitCode: 137,
                  signal: 9,
                  reason: 'OOMKilled',
                  startedAt: '2026-01-01T00:00:01Z',
                  finishedAt: '2026-01-01T00:00:02Z',
                  containerId: 'containerd://1',
                },
              },
              {
                name: 'b',
                image: 'i',
                ready: false,
                started: false,
                restartCount: 0,
                state: { state: 'waiting', reason: 'ImagePullBackOff', message: 'no' },
              },
            ],
          },
          { containerGroupId: 'eci-2', status: 'Unknown' },
        ],
      },
    });
    expect(cloud.seen[0]?.headers['x-acs-action']).toBe('DescribeContainerGroupStatus');
    expect(Object.fromEntries(cloud.seen[0]?.query ?? [])).toMatchObject({ Limit: '200', SinceSecond: '60' });
    await expect(client.changes({ fleet: 'f' }, 3_601)).rejects.toThrow(/list instead/);
  });

  it('deletes, with force as a parameter that the SDK does not know', async () => {
    cloud.will(json({ RequestId: 'R1' }), json({ RequestId: 'R2' }));
    expect(await client.delete('eci-1')).toEqual({ kind: 'done', requestId: 'R1' });
    expect(await client.delete('eci-1', { force: true })).toEqual({ kind: 'done', requestId: 'R2' });
    expect(cloud.seen.map((request) => request.query.get('Force'))).toEqual([undefined, 'true']);
  });
});
