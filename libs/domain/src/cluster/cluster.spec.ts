import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AT, specificationOf } from '../../spec/decider-specification.ts';
import { decideCluster, SUPERSEDED_AGAIN_MS, type ClusterCommand } from './decide.ts';
import { clusterDecider } from './decider.ts';
import type { ClusterFacts, NewClusterEvent } from './events.ts';
import { evolveCluster, initialCluster, type ClusterState } from './state.ts';

const given = specificationOf(clusterDecider);
const register: ClusterCommand = { type: 'Register', name: 'Alpha', accountId: 'default', reason: 'a new site' };
const registered: NewClusterEvent = {
  type: 'ClusterRegistered',
  data: { name: 'Alpha', accountId: 'default', reason: 'a new site' },
};
const key = { fingerprint: 'uid', keyThumbprint: 'k1', keyGeneration: 0 };
const join: ClusterCommand = { type: 'Join', ...key };
const joined: NewClusterEvent = { type: 'ClusterJoined', data: key };
const taken: NewClusterEvent = { type: 'AgentKeyTaken', data: { keyGeneration: 0 } };
const unregistered: NewClusterEvent = { type: 'ClusterUnregistered', data: { reason: 'sold' } };
const facts: ClusterFacts = { name: 'Alpha', accountId: 'default', registeredAt: AT, keyGeneration: 0 };
const observe = (now: ClusterFacts): ClusterCommand => ({ type: 'Observe', facts: now });

describe('a cluster', () => {
  it('is registered once, and why is kept', () => {
    given().when(register).then(registered);
    given(registered).when(register).refused('Registered');
    given(registered, unregistered).when(register).refused('Registered');
  });

  it('is given tokens until it is unregistered; nothing is told of the token but when it ends', () => {
    const issue: ClusterCommand = { type: 'IssueJoinToken', expiresAt: AT };
    given(registered)
      .when(issue)
      .then({ type: 'JoinTokenIssued', data: { expiresAt: AT } });
    given(registered, unregistered).when(issue).refused('Unregistered');
    given().when(issue).refused('NoSuchCluster');
  });

  it('joins with a key; the same key again is nothing new', () => {
    given(registered).when(join).then(joined);
    given(registered, joined).when(join).thenNothing();
    given(registered, joined)
      .when({ ...join, keyThumbprint: 'k2', keyGeneration: 1 })
      .then({ type: 'ClusterJoined', data: { ...key, keyThumbprint: 'k2', keyGeneration: 1 } });
  });

  it('loses its key once for each that it had', () => {
    const take: ClusterCommand = { type: 'TakeAgentKey', keyGeneration: 0 };
    const { after } = given(registered, joined).when(take).then(taken);
    expect(after.facts).toEqual({ ...facts, joinedAt: AT, fingerprint: 'uid', keyGeneration: 1 });
    given(registered, joined, taken).when(take).thenNothing();
  });

  it('is unregistered once', () => {
    const unregister: ClusterCommand = { type: 'Unregister', reason: 'sold' };
    given(registered, joined).when(unregister).then(unregistered);
    given(registered, joined, unregistered).when(unregister).thenNothing();
    given().when(unregister).refused('NoSuchCluster');
  });

  it('tells of takeovers, and seldom of those that follow on one another', () => {
    const takeover = { epoch: 4, agentId: 'b', superseded: 'a' };
    const supersede = (epoch: number): ClusterCommand => ({ type: 'Supersede', ...takeover, epoch });
    const superseded: NewClusterEvent = { type: 'SessionSuperseded', data: takeover };
    const at = (afterMs: number): string => new Date(Date.parse(AT) + afterMs).toISOString();
    given(registered, joined).when(supersede(4)).then(superseded);
    const quarrel = given(registered, joined, superseded);
    quarrel.when(supersede(4), at(SUPERSEDED_AGAIN_MS)).thenNothing();
    quarrel.when(supersede(5), at(SUPERSEDED_AGAIN_MS - 1)).thenNothing();
    quarrel
      .when(supersede(9), at(SUPERSEDED_AGAIN_MS))
      .then({ type: 'SessionSuperseded', data: { ...takeover, epoch: 9 } });
  });

  it('that was there before is imported as it is, once', () => {
    const known = { ...facts, joinedAt: AT, fingerprint: 'uid', keyThumbprint: 'k9', keyGeneration: 3 };
    given().when(observe(known)).then({ type: 'ClusterImported', data: known });
    given({ type: 'ClusterImported', data: known }).when(observe(known)).thenNothing();
  });

  it('that a release without streams of clusters has changed is told of, and no other', () => {
    const later = { ...facts, joinedAt: '2026-01-01T00:00:07.000Z', ...key };
    given(registered).when(observe(later)).then({ type: 'ClusterChangedElsewhere', data: later });
    given(registered, joined).when(observe(later)).thenNothing();
    given(registered, { type: 'ClusterChangedElsewhere', data: later }).when(join).thenNothing();
  });

  it('is decided on also where a newer release has told of it: the row shows what came of that', () => {
    const future = { type: 'Unknown', was: 'ClusterMoved' } as const;
    given(registered, future).when(join).then(joined);
    const moved = { ...facts, accountId: 'other' };
    given(registered, future).when(observe(moved)).then({ type: 'ClusterChangedElsewhere', data: moved });
    expect(given(registered, future).state.version).toBe(2);
  });

  it('decided twice changes nothing but the number of tokens, whatever comes in whatever order', () => {
    const command = fc.constantFrom<ClusterCommand>(
      register,
      join,
      { ...join, keyThumbprint: 'k2', keyGeneration: 1 },
      { type: 'TakeAgentKey', keyGeneration: 0 },
      { type: 'Supersede', epoch: 2, agentId: 'b', superseded: 'a' },
      { type: 'Unregister' },
      observe(facts),
      observe({ ...facts, ...key, joinedAt: AT }),
    );
    const next = (state: ClusterState, each: ClusterCommand): ClusterState => {
      const decision = decideCluster(each, state, AT);
      return decision.accepted ? decision.events.reduce(evolveCluster, state) : state;
    };
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        let state = initialCluster;
        for (const each of commands) {
          state = next(state, each);
          expect(next(state, each)).toEqual(state);
        }
      }),
    );
  });
});
