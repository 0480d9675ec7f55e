/** Fault 29: PostgreSQL is restarted three times under load, once without a goodbye; everybody waits and says so, no append is half done, and nothing is lost. */
import { SeededRandom } from '#libs/runtime';
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { Load } from './support/load.ts';
import { complaints } from './support/logs.ts';

const fleet = useFaultFleet({ replicas: [{}, {}], clusters: ['alpha', 'beta'] });

it('waits, says so, and goes on', async () => {
  const load = new Load({
    clusters: fleet.clusters,
    perSecond: 4,
    random: new SeededRandom(29),
    livesMs: [500, 6_000],
  });
  const since = Date.now();
  load.begin();

  for (const how of ['stop', 'kill9', 'stop'] as const) {
    // given pods that come and go
    const before = load.made;
    await eventually(() => load.made >= before + 12, { what: 'some pods came' });

    // when the database goes away
    await fleet.postgres.process[how]();

    // then every replica says that it is not ready, and why
    for (const replica of fleet.replicas) {
      await eventually(
        async () => {
          const { status, checks } = await fleet.readiness(replica);
          return status === 503 && checks.some(({ name, ok }) => name === 'postgresql' && !ok);
        },
        { what: 'readiness tells of the database' },
      );
    }
    await fleet.postgres.process.start();
    for (const { process } of fleet.replicas) await process.untilReady();
  }
  await load.end();

  // then nothing was lost, and nobody cried without end
  await judge(fleet);
  for (const { process } of fleet.replicas) {
    const said = [...complaints(process, { since })].sort(([, a], [, b]) => b - a);
    expect(said[0]?.[1] ?? 0, JSON.stringify(said)).toBeLessThan(150);
  }
});
