/**
 * Fault 34, at random: three full replicas under five pods a second, killed and paused (some beyond every lease) 200 times; nothing is lost,
 * doubled, leaked or stuck. `npm test` does 20 of them. A failure prints its seed; FAULT_SEED draws
 * the same kills and pauses again, FAULT_BLOWS says how many.
 */
import { SeededRandom, type Random } from '#libs/runtime';
import { expect, it } from 'vitest';
import { useFaultFleet, type Replica } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { Load } from './support/load.ts';

const BLOWS = Number(process.env['FAULT_BLOWS'] ?? (process.env['FAULTS'] === 'all' ? 200 : 20));
const SEED = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const fleet = useFaultFleet({ replicas: [{}, {}, {}], clusters: ['alpha', 'beta'] });

it(`survives ${BLOWS} kills and pauses (seed ${SEED})`, { timeout: 1_800_000 }, async () => {
  // given three replicas that all do everything, and people at work
  const random = new SeededRandom(SEED);
  const load = new Load({ clusters: fleet.clusters, perSecond: 5, random });
  load.begin();

  // when each is killed and paused again and again, whatever it is doing
  const blows = { left: BLOWS, kills: 0, pauses: 0 };
  await Promise.all(fleet.replicas.map((replica) => torment(replica, random, blows)));
  await load.end();

  // then the ledger of the cloud equals the streams, and users have what they want
  await judge(fleet, { lateTwins: true, deadlineMs: 300_000 });
  expect(blows.kills + blows.pauses).toBe(BLOWS);
  process.stdout.write(`${load.made} pods, ${blows.kills} kills, ${blows.pauses} pauses\n`);
});

interface Blows {
  left: number;
  kills: number;
  pauses: number;
}

/** Kills or pauses one replica until the blows are used up. Pauses are short, or longer than leases of subscriptions and Kafka's session. */
async function torment({ process: replica }: Replica, random: Random, blows: Blows): Promise<void> {
  while (blows.left > 0) {
    blows.left -= 1;
    await passing(random.next() * 2_500);
    if (random.next() < 0.6) {
      blows.kills += 1;
      await replica.kill9();
      await passing(random.next() * 500);
      await replica.start();
    } else {
      blows.pauses += 1;
      replica.pause();
      await passing(random.next() < 0.8 ? random.next() * 3_000 : 6_000 + random.next() * 12_000);
      replica.resume();
    }
  }
}

const passing = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
