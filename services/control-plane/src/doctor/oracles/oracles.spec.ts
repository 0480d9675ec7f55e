import { describe, expect, it } from 'vitest';
import {
  accepted,
  created,
  gone,
  landed,
  placed,
  podObjectGone,
  running,
  stopRequested,
  story,
  succeeded,
} from '../../../spec/for-specs.ts';
import type { CloudGroup, CloudList, OurGroup } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { factsOf, STREAM, stored } from '../../../spec/doctor.ts';
import { intentsAreAccountedFor, workIsNotOverdue } from './o1-intents.ts';
import { cloudKnowsTheLifetimes, ledgerEqualsLifetimes, lifetimesOf } from './o10-cost.ts';
import { cloudAndStreamsAgree, whyNoEvidence, type CloudFacts } from './o2-cloud.ts';
import { attemptsFollowEachOther, oneOpenGroupEach } from './o3-one-open.ts';
import { streamIsDenseAndUnchanged } from './o4-streams.ts';
import { readModelIsWhole, rowEqualsItsEvents } from './o5-read-models.ts';
import { callsStayWithinQuota, slowedLanes } from './o6-quota.ts';
import { streamHoldsNoSecret } from './o7-secrets.ts';
import { causesComeFirst } from './o8-causes.ts';
import { clustersStayWithinBudget, quotasBoundAgents, quotasInWords } from './o14-senders.ts';
import { inventoriesAndStreamsAgree, readersKeepUp, whySilent } from './o9-inventories.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const ago = (ms: number): string => new Date(NOW - ms).toISOString();
const kinds = (findings: readonly Finding[]): string[] => findings.map(({ kind }) => kind);
const START = [accepted('c1', 'u1'), placed()] as const;
const RUNS = [...START, created('eci-1'), landed('eci-1', 'zone-b'), running('eci-1')] as const;
const OVER = [...RUNS, stopRequested, gone('eci-1')] as const;

describe('O1: every accepted intent runs, ended, or visibly waits', () => {
  it('is content with a pod that runs, one that is over and one whose row brings it on', () => {
    expect(intentsAreAccountedFor(factsOf(story(RUNS)))).toEqual([]);
    const over = factsOf(story(OVER), { head: { version: 7, closedAt: ago(0) } });
    expect(intentsAreAccountedFor(over)).toEqual([]);
    const waits = factsOf(story([accepted('c1', 'u1')]), { effects: [{ kind: 'Place', key: 'next' }] });
    expect(intentsAreAccountedFor(waits)).toEqual([]);
  });

  it('fires when an intent has no row that brings it on', () => {
    expect(kinds(intentsAreAccountedFor(factsOf(story([accepted('c1', 'u1')]))))).toEqual(['stuck']);
  });

  it('fires when nobody settles an attempt in doubt, or deletes what should go', () => {
    expect(kinds(intentsAreAccountedFor(factsOf(story(START))))).toEqual(['doubt-for-ever']);
    const stopped = factsOf(story([...RUNS, stopRequested]));
    expect(kinds(intentsAreAccountedFor(stopped))).toEqual(['nobody-deletes']);
    const confirmed = factsOf(story([...RUNS, stopRequested]), { effects: [{ kind: 'Confirm', key: 'eci-1' }] });
    expect(intentsAreAccountedFor(confirmed)).toEqual([]);
  });

  it('fires when a parked stream waits behind no gate, and when one behind a gate is not parked', () => {
    const gate = { kind: 'account', accountId: 'default', class: 'QUOTA' } as const;
    const parked = story([accepted('c1', 'u1'), { type: 'Parked', data: { gate, reason: 'QUOTA', message: '' } }]);
    expect(kinds(intentsAreAccountedFor(factsOf(parked)))).toEqual(['parked-nowhere']);
    expect(intentsAreAccountedFor(factsOf(parked, { parkedAt: 'account/default/QUOTA' }))).toEqual([]);
    const placing = factsOf(story([accepted('c1', 'u1')]), {
      effects: [{ kind: 'Place', key: 'next' }],
      parkedAt: 'somewhere',
    });
    expect(kinds(intentsAreAccountedFor(placing))).toEqual(['parked-by-mistake']);
  });

  it('fires when the head of a stream is not closed with it, or before it', () => {
    const forgotten = factsOf(story([...OVER, podObjectGone]));
    expect(kinds(intentsAreAccountedFor(forgotten))).toEqual(['not-closed']);
    const early = factsOf(story(RUNS), { head: { version: 5, closedAt: ago(0) } });
    expect(kinds(intentsAreAccountedFor(early))).toEqual(['closed-too-early']);
  });

  it('fires when work is overdue by more than two minutes, not before', () => {
    const row = (dueMs: number) => ({
      table: 'effect' as const,
      streamId: STREAM,
      kind: 'Place',
      key: 'next',
      dueAt: ago(dueMs),
      attempts: 0,
    });
    expect(workIsNotOverdue([row(119_000)], NOW)).toEqual([]);
    expect(workIsNotOverdue([row(121_000)], NOW)).toMatchObject([{ oracle: 'O1', where: { stream: STREAM } }]);
  });
});

const group = (over: Partial<CloudGroup> = {}): CloudGroup => ({
  containerGroupId: 'eci-1',
  status: 'Running',
  ...over,
});
const list = (groups: readonly CloudGroup[], over: Partial<CloudList> = {}): CloudList => ({
  accountId: 'default',
  region: 'cn-hangzhou',
  beganAt: NOW,
  groups,
  ...over,
});
const ours = (over: Partial<OurGroup> = {}): OurGroup => ({
  containerGroupId: 'eci-1',
  streamId: STREAM,
  accountId: 'default',
  region: 'cn-hangzhou',
  since: ago(600_000),
  twin: false,
  ...over,
});
const cloud = (over: Partial<CloudFacts>): CloudFacts => ({
  lists: [],
  ours: [],
  open: new Map(),
  known: new Set(),
  ...over,
});
const identity = { fleet: 'f', clusterId: 'c1', podUid: 'u1', attempt: 2 };

describe('O2: the open groups of the cloud are ours', () => {
  it('is content when both say the same, also while a group terminates', () => {
    expect(cloudAndStreamsAgree(cloud({ lists: [list([group()])], ours: [ours()] }))).toEqual([]);
    expect(cloudAndStreamsAgree(cloud({ lists: [list([group({ status: 'Terminating' })])] }))).toEqual([]);
  });

  it('fires for a group that nobody knows, and tells an orphan from a twin', () => {
    expect(kinds(cloudAndStreamsAgree(cloud({ lists: [list([group({ identity })])] })))).toEqual(['orphan']);
    const known = cloud({ lists: [list([group({ identity })])], known: new Set([STREAM]) });
    expect(kinds(cloudAndStreamsAgree(known))).toEqual(['unknown-to-its-stream']);
  });

  it('spares the group of an attempt in doubt', () => {
    const open = new Map([[STREAM, { streamId: STREAM, inDoubt: 2, stopped: false }]]);
    const doubt = cloud({ lists: [list([group({ identity })])], known: new Set([STREAM]), open });
    expect(cloudAndStreamsAgree(doubt)).toEqual([]);
  });

  it('fires for a group of ours that a complete list does not hold, unless it is young or on its way out', () => {
    const beside = [ours({ containerGroupId: 'eci-other' }), group({ containerGroupId: 'eci-other' })] as const;
    const missing = (over: Partial<OurGroup>) =>
      cloudAndStreamsAgree(cloud({ lists: [list([beside[1]])], ours: [ours(over), beside[0]] }));
    expect(kinds(missing({}))).toEqual(['not-in-the-cloud']);
    expect(missing({ since: ago(30_000) })).toEqual([]);
    expect(missing({ deleteAcceptedAt: ago(1_000) })).toEqual([]);
    const ended = cloud({ lists: [list([group({ status: 'Succeeded' })])], ours: [ours()] });
    expect(kinds(cloudAndStreamsAgree(ended))).toEqual(['over-in-the-cloud']);
  });

  it('concludes nothing from a list that is not complete, or empty where any should be', () => {
    expect(cloudAndStreamsAgree(cloud({ lists: [list([], { incomplete: 'cut' })], ours: [ours()] }))).toEqual([]);
    expect(cloudAndStreamsAgree(cloud({ lists: [list([])], ours: [ours()] }))).toEqual([]);
    expect(whyNoEvidence(list([]), [ours()])).toContain('although 1 group should be in it');
    expect(
      whyNoEvidence(list([]), [ours({ deleteAcceptedAt: ago(1_000) }), ours({ since: ago(1_000) })]),
    ).toBeUndefined();
  });
});

describe('O3: no pod has two open groups', () => {
  it('fires for two open groups of one pod, known by id or by tags', () => {
    const two = [group(), group({ containerGroupId: 'eci-2', identity })];
    expect(oneOpenGroupEach(cloud({ lists: [list(two)], ours: [ours()] }))).toMatchObject([
      { oracle: 'O3', where: { stream: STREAM }, what: expect.stringContaining('eci-1, eci-2') },
    ]);
    const ended = [group(), group({ containerGroupId: 'eci-2', identity, status: 'Failed' })];
    expect(oneOpenGroupEach(cloud({ lists: [list(ended)], ours: [ours()] }))).toEqual([]);
  });

  it('fires when an attempt was chosen while one was open', () => {
    expect(attemptsFollowEachOther(factsOf(story(RUNS)))).toEqual([]);
    expect(kinds(attemptsFollowEachOther(factsOf(story([...RUNS, placed(2)]))))).toEqual(['chosen-too-early']);
  });
});

describe('O4: streams are dense and unchanged', () => {
  it('is content with a stream as it was appended', () => {
    expect(streamIsDenseAndUnchanged(factsOf(story(RUNS)))).toEqual([]);
  });

  it('fires for an event that was changed, taken out or put behind the head', () => {
    const events = stored(story(RUNS));
    const changed = events.map((event) =>
      event.version === 3 ? { ...event, data: { containerGroupId: 'x' } } : event,
    );
    expect(kinds(streamIsDenseAndUnchanged(factsOf(story(RUNS), { events: changed })))).toEqual(['changed-3']);
    const cut = events.filter(({ version }) => version !== 3);
    expect(kinds(streamIsDenseAndUnchanged(factsOf(story(RUNS), { events: cut })))).toEqual(['gap']);
    expect(kinds(streamIsDenseAndUnchanged(factsOf(story(RUNS), { head: { version: 4 } })))).toEqual(['head']);
  });
});

describe('O5: read models equal their events', () => {
  it('is content with a row at any version that its reader may have', () => {
    expect(rowEqualsItsEvents(factsOf(story(RUNS)))).toEqual([]);
    expect(rowEqualsItsEvents(factsOf(story(RUNS), { projected: 2 }))).toEqual([]);
  });

  it('fires for a row that differs, is missing, is behind or is parked', () => {
    const facts = factsOf(story(RUNS));
    const row = { ...facts.row!, zone: 'zone-x' };
    expect(rowEqualsItsEvents({ ...facts, row })).toMatchObject([{ what: expect.stringContaining('in zone') }]);
    const { row: _, ...without } = facts;
    expect(kinds(rowEqualsItsEvents(without))).toEqual(['no-row']);
    const behind = factsOf(story(START)).row!;
    expect(kinds(rowEqualsItsEvents({ ...facts, row: behind }))).toEqual(['behind']);
    expect(kinds(rowEqualsItsEvents({ ...facts, projectionError: 'boom' }))).toEqual(['parked']);
  });

  it('fires for rows without a stream and for numbers that do not add up', () => {
    const count = { clusterId: 'c1', life: 'running', zone: '', kept: 2, counted: 1 };
    const findings = readModelIsWhole({ withoutStream: [STREAM], counts: [count, { ...count, kept: 1 }] });
    expect(kinds(findings)).toEqual(['row-without-stream', 'count-running-']);
  });
});

describe('O6: calls stay within the quota', () => {
  const lane = { lane: 'a/r/create', rate: 1, burst: 10, tokens: 3, factor: 1, factorMovedAt: ago(0) };

  it('fires for a minute with more outcomes than the bucket gives', () => {
    const minute = { lane: 'a/r/create', minute: NOW, calls: 70 };
    expect(callsStayWithinQuota([lane], [minute])).toEqual([]);
    expect(callsStayWithinQuota([lane], [{ ...minute, calls: 71 }])).toMatchObject([
      { where: { place: 'a/r/create' } },
    ]);
  });

  it('fires for a lane of the cloud without a bucket, not for local work', () => {
    const without = { ...lane, rate: null, burst: null };
    expect(kinds(callsStayWithinQuota([without, { ...without, lane: 'local' }], []))).toEqual(['no-bucket']);
  });

  it('tells of lanes that the cloud has slowed down', () => {
    expect(slowedLanes([lane, { ...lane, factor: 0.72 }], NOW)).toEqual(['a/r/create at 72 % after throttling']);
  });
});

describe('O7: no secret lies where it should not', () => {
  const none = { values: [] };
  const saying = (text: string) =>
    factsOf(story([...START, { type: 'CreateOutcomeUnknown', data: { attempt: 1, reason: text } }]));

  it('fires for what looks like a secret, without repeating it', () => {
    const key = `LTAI${'5tAbCdEfGhIjKlMnOp'}`;
    const [finding] = streamHoldsNoSecret(saying(`AccessKey ${key}`), none);
    expect(finding).toMatchObject({ oracle: 'O7', what: expect.stringContaining('an AccessKey id') });
    expect(JSON.stringify(finding)).not.toContain(key);
    const part = 'a'.repeat(24);
    expect(streamHoldsNoSecret(saying(`Bearer eyJ${part}.eyJ${part}.${part}`), none)).toHaveLength(1);
    expect(streamHoldsNoSecret(saying('-----BEGIN EC PRIVATE KEY-----'), none)).toHaveLength(1);
    expect(streamHoldsNoSecret(saying('nothing of the kind'), none)).toEqual([]);
  });

  it('fires for a secret of its own configuration, by name', () => {
    const canaries = { values: [{ name: 'the master key', value: 'correct-horse-battery' }] };
    const [finding] = streamHoldsNoSecret(saying('correct-horse-battery'), canaries);
    expect(finding?.what).toContain('the master key');
  });

  it('fires when sealed data outlives its stream', () => {
    expect(kinds(streamHoldsNoSecret(factsOf(story(OVER)), none))).toEqual(['sealed-after-its-end']);
    expect(streamHoldsNoSecret(factsOf(story(OVER), { hasSealed: false }), none)).toEqual([]);
  });
});

describe('O8: no event is older than its cause', () => {
  it('is content with a life in its order, whatever clocks of replicas say', () => {
    expect(causesComeFirst(factsOf(story(OVER)))).toEqual([]);
  });

  it('fires for a consequence without its cause, and for a step back in time', () => {
    expect(kinds(causesComeFirst(factsOf(story([accepted('c1', 'u1'), created('eci-1')]))))).toEqual([
      'without-cause-2',
    ]);
    const events = stored(story(START)).map((event, i) => ({ ...event, recordedAt: ago(i * 1000) }));
    expect(kinds(causesComeFirst(factsOf(story(START), { events })))).toEqual(['back-in-time-2']);
  });
});

describe('O9: inventories and streams agree', () => {
  const cluster = (over: object = {}) => ({
    clusterId: 'c1',
    keyGeneration: 0,
    renewedAt: ago(60_000),
    inventory: { completedAt: ago(180_000), unknownPods: [] as string[], missingPods: [] as string[] },
    ...over,
  });
  const open = new Map([[STREAM, { streamId: STREAM, stopped: false }]]);

  it('fires for a pod without a stream and for an open stream without a pod', () => {
    const inventory = { completedAt: ago(180_000), unknownPods: ['u9'], missingPods: ['u1', 'u2'] };
    expect(kinds(inventoriesAndStreamsAgree([cluster({ inventory })], open, NOW))).toEqual([
      'pod-without-stream',
      'stream-without-pod',
    ]);
    const fresh = { ...inventory, completedAt: ago(10_000) };
    expect(inventoriesAndStreamsAgree([cluster({ inventory: fresh })], open, NOW)).toEqual([]);
  });

  it('fires when an agent that speaks sends no inventory, and does not judge one that is silent', () => {
    expect(
      kinds(inventoriesAndStreamsAgree([{ clusterId: 'c1', keyGeneration: 0, renewedAt: ago(0) }], open, NOW)),
    ).toEqual(['no-inventory']);
    const silent = { clusterId: 'c1', keyGeneration: 0, renewedAt: ago(3_600_000) };
    expect(inventoriesAndStreamsAgree([silent], open, NOW)).toEqual([]);
    expect(whySilent(silent, NOW)).toContain('silent since');
  });

  it('fires for a reader that is behind or has parked streams', () => {
    const reader = { name: 'publish', events: 5, seconds: 130, parkedStreams: 1 };
    expect(kinds(readersKeepUp([reader]))).toEqual(['behind', 'parked']);
    expect(readersKeepUp([{ ...reader, seconds: 1, parkedStreams: 0 }])).toEqual([]);
  });
});

describe('O10: the cost ledger is the sum of lifetimes', () => {
  const life = [...RUNS, succeeded('eci-1')] as const;

  it('fires when a row counts other seconds than its events', () => {
    const facts = factsOf(story(life));
    expect(ledgerEqualsLifetimes(facts)).toEqual([]);
    const row = { ...facts.row!, endedGroupSeconds: facts.row!.endedGroupSeconds + 60 };
    expect(ledgerEqualsLifetimes({ ...facts, row })).toMatchObject([{ oracle: 'O10', where: { stream: STREAM } }]);
  });

  it('counts a group that was found again after it was taken for gone, as its row does', () => {
    const found = { type: 'OrphanFound', data: { containerGroupId: 'eci-1', status: 'Running' } } as const;
    const facts = factsOf(story([...OVER, found, gone('eci-1')]));
    expect(facts.row!.endedGroupSeconds).toBeGreaterThan(factsOf(story(OVER)).row!.endedGroupSeconds);
    expect(ledgerEqualsLifetimes(facts)).toEqual([]);
  });

  it('fires when the cloud saw a group begin or end at another time', () => {
    const [lifetime] = lifetimesOf(factsOf(story(life)));
    const lives = new Map([['eci-1', { ...lifetime!, streamId: STREAM }]]);
    const at = (ms: number): string => new Date(ms).toISOString();
    const times = { createdAt: at(lifetime!.from), finishedAt: at(lifetime!.to!) };
    expect(cloudKnowsTheLifetimes([group(times)], lives)).toEqual([]);
    const late = { ...times, finishedAt: at(lifetime!.to! + 600_000) };
    expect(kinds(cloudKnowsTheLifetimes([group(late)], lives))).toEqual(['ended']);
  });
});

describe('O14: what a cluster sends is bounded', () => {
  const clusters = [
    { clusterId: 'c1', keyGeneration: 0 },
    { clusterId: 'c2', keyGeneration: 3 },
  ];
  const fleet = { name: 'f', clusters, controlPlane: 'f.control-plane' };
  const quotas = (own: Readonly<Record<string, number>>, others?: number) => ({
    own: new Map(Object.entries(own)),
    ...(others !== undefined && { others }),
  });
  const where = (findings: readonly Finding[]): string[] =>
    findings.map(({ kind, where: { cluster, place } }) => `${kind} ${cluster ?? place}`);

  it.each([
    ['nobody has a quota', quotas({}), ['no-quota c1', 'no-quota c2']],
    ['one agent has one', quotas({ 'f.c1': 5 }), ['no-quota c2']],
    ['that of another fleet does not count', quotas({ 'g.c1': 5, 'f.c2.3': 5 }), ['no-quota c1']],
    ['all have one', quotas({ 'f.c1': 5, 'f.c2.3': 6 }), []],
    ['that of a key that has ended does not count', quotas({ 'f.c1': 5, 'f.c2.2': 5, 'f.c2': 5 }), ['no-quota c2']],
    ["everybody's is the control plane's, too", quotas({}, 5), ['control-plane-bound User:f.control-plane']],
    ['it has one of its own', quotas({ 'f.control-plane': 1e9 }, 5), []],
  ])('at Kafka: %s', (_name, read, expected) => {
    expect(where(quotasBoundAgents(read, fleet))).toEqual(expected);
  });

  it('says which agents have another quota than the setting', () => {
    const words = (own: Readonly<Record<string, number>>): string =>
      quotasInWords(quotas(own), { ...fleet, wanted: 5 });
    expect(words({ 'f.c1': 5, 'f.c2.3': 5 })).toBe('produce quotas at Kafka of 2 of 2 agents');
    expect(words({ 'f.c1': 4 })).toBe('produce quotas at Kafka of 1 of 2 agents; another than 5 bytes/s: c1 4');
  });

  it('fires for a cluster of which something waits for over a minute, and not for what is asked for again just now', () => {
    const cluster = { clusterId: 'c1', waiting: 12, since: ago(61_000) };
    expect(clustersStayWithinBudget([cluster], NOW)).toMatchObject([
      { kind: 'over-budget', what: expect.stringContaining('12'), where: { cluster: 'c1' }, since: ago(61_000) },
    ]);
    expect(clustersStayWithinBudget([{ ...cluster, since: ago(59_000) }], NOW)).toEqual([]);
  });
});
