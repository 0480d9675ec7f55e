/** Fault 17: every answer to a create is lost although the group was made; the same token is sent again and one group is known in the end. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';

const fleet = useFaultFleet();

it('makes exactly one group of each pod, under one token', async () => {
  // given a cloud whose answers to creates are lost, some by silence
  await fleet.simulator.fault({
    id: 'silent',
    kind: 'lost-answer',
    action: 'CreateContainerGroup',
    lost: 'silence',
    count: 2,
  });
  await fleet.simulator.fault({ id: 'cut', kind: 'lost-answer', action: 'CreateContainerGroup' });

  // when pods come
  const pods = await fleet.cluster.run(Array.from({ length: 12 }, (_, index) => `lost-${index}`));
  await eventually(
    async () => {
      const types = await Promise.all(pods.map(({ uid }) => fleet.eventTypes(uid)));
      // The sweep may find a group before its call is given up.
      return types.every((each) => each.includes('CreateOutcomeUnknown') || each.includes('Adopted'));
    },
    { what: 'no create was answered', deadlineMs: 60_000 },
  );
  expect(await fleet.countEvents('ContainerGroupCreated')).toBe(0);
  expect(await fleet.countEvents('CreateOutcomeUnknown')).toBeGreaterThan(0);
  await fleet.simulator.control('DELETE', '/faults');

  // then each has its one group, and nothing was sent under a second token
  await judge(fleet);
  for (const { uid } of pods) {
    const creates = await fleet.simulator.createsOf(uid);
    expect(new Set(creates.map(({ clientToken }) => clientToken)).size).toBe(1);
    expect(new Set(creates.map(({ parameters }) => bodyOf(parameters))).size).toBe(1);
    expect(await fleet.simulator.groupsOf(uid)).toHaveLength(1);
    const types = await fleet.eventTypes(uid);
    expect(types.filter((type) => type === 'PlacementChosen')).toHaveLength(1);
    expect(types.filter((type) => ['ContainerGroupCreated', 'Adopted'].includes(type))).toHaveLength(1);
  }

  // and all of it goes again
  await fleet.cluster.remove(pods);
  await judge(fleet);
});

/** What was asked for, without what each call signs anew. */
const bodyOf = (parameters: Readonly<Record<string, string>>): string =>
  JSON.stringify(
    Object.entries(parameters)
      .filter(([name]) => !/^(Signature|SignatureNonce|Timestamp)/.test(name))
      .sort(),
  );
