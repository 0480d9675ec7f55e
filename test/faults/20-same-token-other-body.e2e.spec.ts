/** Fault 20: the cloud says that a token came with another body; the attempt is not repeated for ever, it is settled by proof, and the next one succeeds. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { names, untilEvents } from './support/one-group.ts';

const fleet = useFaultFleet();

it('is no loop', async () => {
  const { cluster } = fleet;
  // given a cloud that refuses the token of each first attempt
  await fleet.simulator.fault({
    kind: 'error',
    action: 'CreateContainerGroup',
    code: 'IdempotentParameterMismatch',
    status: 400,
    message: 'The request uses the same client token as a previous, but non-identical request.',
    match: { 'Tag.4.Value': '1' },
  });

  // when pods come
  const pods = await cluster.run(names('mismatch', 4));
  await untilEvents(fleet, pods, ['CreateOutcomeUnknown']);

  // then the attempt ends by proof of absence and the second one makes the group, after a bounded number of calls
  await judge(fleet, { deadlineMs: 240_000 });
  for (const { uid } of pods) {
    const types = await fleet.eventTypes(uid);
    expect(types.filter((type) => type === 'PlacementChosen')).toHaveLength(2);
    expect(types.filter((type) => type === 'CreateOutcomeUnknown')).toHaveLength(1);
    const creates = await fleet.simulator.createsOf(uid);
    expect(new Set(creates.map(({ clientToken }) => clientToken)).size).toBe(2);
    expect(creates.length).toBeLessThan(12);
    expect(await fleet.simulator.groupsOf(uid)).toHaveLength(1);
  }
  await eventually(() => /IdempotentParameterMismatch/.test(fleet.controlPlane.logText()), {
    what: 'the log names what the cloud said',
  });
});
