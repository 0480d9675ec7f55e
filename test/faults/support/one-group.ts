import { expect } from 'vitest';
import { eventually } from '#libs/testing';
import type { Made } from './cluster.ts';
import type { FaultFleet } from './fleet.ts';

/** Each of these pods was asked for under one token with one body, has one group that was ever made, and one event for each step. */
export async function expectOneGroup(fleet: FaultFleet, pods: readonly Made[]): Promise<void> {
  for (const { name, uid } of pods) {
    const creates = await fleet.simulator.createsOf(uid);
    expect(new Set(creates.map(({ clientToken }) => clientToken)).size, `tokens of ${name}`).toBe(1);
    expect(new Set(creates.map(({ parameters }) => bodyOf(parameters))).size, `bodies of ${name}`).toBe(1);
    expect(await fleet.simulator.groupsOf(uid), `groups of ${name}`).toHaveLength(1);
    const types = await fleet.eventTypes(uid);
    for (const step of [['PodIntentAccepted'], ['PlacementChosen'], ['ContainerGroupCreated', 'Adopted']])
      expect(
        types.filter((type) => step.includes(type)),
        `${name}: ${types.join()}`,
      ).toHaveLength(1);
  }
}

/** Events of each pod's stream without pictures of its containers, which the cloud's own events go on to change for a while. */
export async function stepsOf(fleet: FaultFleet, pods: readonly Made[]): Promise<string[][]> {
  const all = await Promise.all(pods.map(({ uid }) => fleet.eventTypes(uid)));
  return all.map((types) => types.filter((type) => type !== 'ContainersChanged'));
}

/** Waits until the stream of each pod holds one of these events. */
export async function untilEvents(
  fleet: FaultFleet,
  pods: readonly Made[],
  types: readonly string[],
  deadlineMs = 60_000,
): Promise<void> {
  await eventually(
    async () => {
      const all = await Promise.all(pods.map(({ uid }) => fleet.eventTypes(uid)));
      const lacking = all.filter((own) => !own.some((type) => types.includes(type)));
      if (lacking.length === 0) return true;
      throw new Error(`${lacking.length} of ${pods.length} have not; one has ${lacking[0]!.join(', ') || 'nothing'}`);
    },
    { what: `each stream has ${types.join(' or ')}`, deadlineMs, everyMs: 100 },
  );
}

/** `<prefix>-1` … `<prefix>-<count>`. */
export const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);

/** What was asked for, without what each call signs anew. */
const bodyOf = (parameters: Readonly<Record<string, string>>): string =>
  JSON.stringify(
    Object.entries(parameters)
      .filter(([name]) => !/^(Signature|SignatureNonce|Timestamp)/.test(name))
      .sort(),
  );
