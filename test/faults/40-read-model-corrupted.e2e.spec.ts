/**
 * Fault 40: rows of the read model are wrong, missing and invented; one command makes it anew beside the one that serves, says what differed, and
 * readers see no error, no gap and no step back.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { SeededRandom } from '#libs/runtime';
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet, type FaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { Load } from './support/load.ts';
import { names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('is made anew while it serves', async () => {
  const { cluster } = fleet;
  const steady = await cluster.run(names('steady', 10));
  // Their streams have ended: an event would write a damaged row anew before the rebuild finds it.
  const others = await cluster.run(names('other', 6));
  await cluster.untilPhase(others);
  await cluster.remove(others);
  await judge(fleet);

  // given a read model that somebody has damaged, people who look at it, and people at work
  const streams = others.map(({ uid }) => fleet.streamOf(uid));
  await fleet.database.query(
    `update fleet.container_group set zone = 'nowhere', phase = 'Failed' where stream_id = any ($1)`,
    [streams.slice(0, 2)],
  );
  await fleet.database.query('delete from fleet.container_group where stream_id = any ($1)', [streams.slice(2, 4)]);
  await fleet.database.query('update fleet.container_group_count set groups = groups + 7');
  const load = new Load({
    clusters: fleet.clusters,
    perSecond: 3,
    random: new SeededRandom(40),
    livesMs: [500, 3_000],
  });
  load.begin();
  const reader = new Reader(
    fleet,
    steady.map(({ uid }) => uid),
  );
  const reading = reader.read();

  // when it is made anew
  const first = await rebuild();

  // then the damage is told, and gone
  for (const streamId of streams.slice(0, 4)) expect(first.said).toContain(streamId);
  expect(first.code).toBe(1);
  expect(first.said).toContain('The rebuilt tables serve now.');
  await eventually(async () => (await zonesOf(streams)).every((zone) => zone?.startsWith('cn-') ?? false), {
    what: 'every row tells where its group is',
  });

  // and a second time there is nothing to tell, also under load
  const second = await rebuild();
  expect(second.said, second.said).toContain('serve now');
  expect(second.code, second.said).toBe(0);

  // and readers never saw an error, a gap or a step back
  await load.end();
  reader.stop();
  await reading;
  expect(reader.troubles).toEqual([]);
  expect(reader.pages).toBeGreaterThan(5);
  await judge(fleet);
});

interface Page {
  readonly items: readonly { readonly podUid: string; readonly version: number }[];
  readonly nextCursor?: string;
}

/** Someone who polls the list, and knows who must be in it. */
class Reader {
  readonly troubles: string[] = [];
  pages = 0;
  readonly #fleet: FaultFleet;
  readonly #expected: readonly string[];
  readonly #versions = new Map<string, number>();
  #stopped = false;

  constructor(fleet: FaultFleet, expected: readonly string[]) {
    this.#fleet = fleet;
    this.#expected = expected;
  }

  stop(): void {
    this.#stopped = true;
  }

  async read(): Promise<void> {
    while (!this.#stopped) {
      try {
        this.#compare(await this.#wholeList());
      } catch (error) {
        this.troubles.push(String(error));
      }
    }
  }

  async #wholeList(): Promise<Map<string, number>> {
    const versions = new Map<string, number>();
    let cursor = '';
    do {
      const page = (await this.#fleet.api.call('GET', `/container-groups?limit=20${cursor}`)) as Page;
      this.pages += 1;
      for (const { podUid, version } of page.items) versions.set(podUid, version);
      cursor = page.nextCursor === undefined ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor !== '');
    return versions;
  }

  #compare(versions: ReadonlyMap<string, number>): void {
    for (const uid of this.#expected) if (!versions.has(uid)) this.troubles.push(`${uid} is missing`);
    for (const [uid, version] of versions) {
      const before = this.#versions.get(uid) ?? 0;
      if (version < before) this.troubles.push(`${uid} stepped back from ${before} to ${version}`);
      this.#versions.set(uid, version);
    }
  }
}

async function zonesOf(streams: readonly string[]): Promise<(string | null)[]> {
  const { rows } = await fleet.database.query<{ zone: string | null }>(
    'select g.zone from unnest($1::text[]) s left join fleet.container_group g on g.stream_id = s',
    [streams],
  );
  return rows.map(({ zone }) => zone);
}

function rebuild(): Promise<{ readonly code: number; readonly said: string }> {
  const main = join(import.meta.dirname, '../../dist/services/control-plane/src/command-line/main.js');
  const { PATH, HOME } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, 'rebuild'],
      { env: { PATH, HOME, ...fleet.commandLineEnvironment }, timeout: 120_000 },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), said: `${stdout}\n${stderr}` }),
    );
  });
}
