import { describe, expect, it } from 'vitest';
import { filesBelow, findIn, formsOf, newCanary, type Haystack } from './support/canaries.ts';
import { useFleet } from './support/fleet.ts';
import { wholeApi } from './support/whole-api.ts';

/** What must be nowhere but in the cluster and in the cloud. Each is written where a user would write it. */
const secrets = {
  'a key of a Secret': newCanary(),
  'a file of a Secret': newCanary(),
  'an env value': `${newCanary()}/+&=ü`,
  'a key of a ConfigMap': newCanary(),
  'an annotation of others': newCanary(),
  'the password of a registry': `${newCanary()}+/`,
  'the AccessKey': newCanary(),
};
/** What may be seen, and has to be found for the search to prove anything. */
const planted = newCanary();

const fleet = useFleet({
  ownPostgres: true,
  ownKafka: true,
  // The cloud is to have been told: its ledger keeps what it heard.
  simulator: { accessKey: { id: 'LTAI-of-the-test', secret: secrets['the AccessKey'] }, ledgerSecrets: true },
});

/** Everything that PostgreSQL holds: its files, after all was written out, and every row of ours as text (files may be compressed). */
async function postgres(): Promise<{ files: Haystack[]; rows: Haystack[] }> {
  await fleet.database.query('checkpoint');
  const { rows: tables } = await fleet.database.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const rows: Haystack[] = [];
  for (const { name } of tables) {
    const { rows: texts } = await fleet.database.query<{ text: string }>(`select t::text as text from ${name} t`);
    rows.push({ name, bytes: Buffer.from(texts.map(({ text }) => text).join('\n')) });
  }
  return { files: await filesBelow(fleet.postgres!.dataDir), rows };
}

describe('secrets', () => {
  it('are searched for in a way that finds what is there', () => {
    const value = 'a+secret/with=signs&ü';
    for (const written of [
      value,
      encodeURIComponent(value),
      ...['', 'x', 'xy'].flatMap((before) =>
        (['base64', 'base64url', 'hex'] as const).map((form) =>
          Buffer.from(`${before}${value} and more`).toString(form),
        ),
      ),
    ])
      expect(findIn([{ name: 'here', bytes: Buffer.from(`{"x":"${written}"}`) }], value), written).not.toEqual([]);
    expect(findIn([{ name: 'here', bytes: Buffer.from('another secret/with=signs') }], value)).toEqual([]);
  });

  it('reach the cloud, and are nowhere in PostgreSQL, Kafka, logs, events or answers of the API', async () => {
    // given a pod that is told secrets in every way, and a cloud that stumbles, so that errors are written about
    await fleet.simulator.fault({ kind: 'html-503', action: 'CreateContainerGroup', count: 1 });
    const login = Buffer.from(`robot:${secrets['the password of a registry']}`).toString('base64');
    await fleet.pods.apply(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'keys' },
        stringData: { key: secrets['a key of a Secret'], file: `begin ${secrets['a file of a Secret']} end` },
      },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings' },
        data: { key: secrets['a key of a ConfigMap'] },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'registry' },
        type: 'kubernetes.io/dockerconfigjson',
        stringData: { '.dockerconfigjson': JSON.stringify({ auths: { 'registry.example.com': { auth: login } } }) },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: planted,
          labels: {
            'alibabacloud.com/eci': 'true',
            // Labels of the list that stays readable.
            ...Object.fromEntries(
              [
                ['app', ''],
                ['app.kubernetes.io/name', 'x'],
                ['app.kubernetes.io/part-of', 'xy'],
              ].map(([label, before]) => [label, Buffer.from(`${before}${planted}`).toString('base64url')]),
            ),
          },
          annotations: { 'example.com/of-others': secrets['an annotation of others'] },
        },
        spec: {
          terminationGracePeriodSeconds: 1,
          imagePullSecrets: [{ name: 'registry' }],
          volumes: [{ name: 'files', secret: { secretName: 'keys' } }],
          containers: [
            {
              name: 'main',
              image: 'registry.example.com/app',
              env: [
                { name: 'VALUE', value: secrets['an env value'] },
                { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'key' } } },
                { name: 'SETTING', valueFrom: { configMapKeyRef: { name: 'settings', key: 'key' } } },
              ],
              volumeMounts: [{ name: 'files', mountPath: '/files' }],
            },
          ],
        },
      },
    );

    // when it has run, and is gone again
    const { metadata } = await fleet.pods.untilPhase(planted, 'Running', { deadlineMs: 90_000 });
    const creates = await fleet.simulator.createsOf(metadata.uid);
    const whileItRuns = await wholeApi(fleet.api);
    await fleet.pods.kubectl('delete', 'pod', planted, '--wait=true', '--timeout=60s');
    await fleet.untilHistory(metadata.uid, 'PodObjectGone');

    // then the cloud was told all of it, in clear or in base64
    const told: Haystack[] = [{ name: 'the create', bytes: Buffer.from(JSON.stringify(creates)) }];
    const forTheCloud = Object.entries(secrets).filter(
      ([what]) => what !== 'the AccessKey' && what !== 'an annotation of others',
    );
    for (const [what, value] of forTheCloud) expect(findIn(told, value), what).not.toEqual([]);
    const token = Object.values(creates.at(-1)!.parameters)
      .map((value) => Buffer.from(value, 'base64').toString('utf8'))
      .find((text) => /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(text))!;

    // and it is nowhere else
    const { files, rows } = await postgres();
    const { controlPlane, agent, simulator } = fleet;
    const logs = [controlPlane, agent, simulator.rig.process].map((service) => ({
      name: `log of ${service.name}`,
      bytes: Buffer.from(service.logText()),
    }));
    const haystacks = {
      "PostgreSQL's files": files,
      "PostgreSQL's rows": rows,
      "Kafka's segments": await filesBelow(fleet.kafka.rig!.dataDir),
      logs,
      'the API': [...whileItRuns, ...(await wholeApi(fleet.api))],
      'Kubernetes Events': [
        { name: 'events', bytes: Buffer.from(await fleet.pods.kubectl('get', 'events', '-A', '-o', 'json')) },
      ],
    };
    const hidden = { ...secrets, 'the token of the service account': token.split('.')[2]! };
    for (const [place, stacks] of Object.entries(haystacks))
      for (const [what, value] of Object.entries(hidden))
        expect(findIn(stacks, value), `${what} in ${place}`).toEqual([]);

    // while what may be seen is found by the same search
    for (const [place, stacks] of Object.entries(haystacks)) {
      const seen = place === 'logs' ? fleet.name : planted;
      expect(findIn(stacks, seen), `what was planted in ${place}`).not.toEqual([]);
    }
    const found = findIn(haystacks["Kafka's segments"], planted).join('\n');
    for (const offset of [0, 1, 2]) expect(found).toContain(`base64url at offset ${offset}`);
    expect(files.some(({ name }) => name.startsWith('pg_wal/'))).toBe(true);
    expect([...formsOf(secrets['an env value']).keys()]).toContain('URL-encoded');
  });
});
