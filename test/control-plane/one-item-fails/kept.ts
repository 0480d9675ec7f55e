import { streamIdOf } from '#libs/domain';
import type { EventStore } from '#libs/event-store';
import { readModelDataSource } from '../../../services/control-plane/src/data-source.ts';
import { startHousekeeping } from '../../../services/control-plane/src/housekeeping.ts';
import { projectRole } from '../../../services/control-plane/src/roles/project-role.ts';
import { CLUSTER } from '../names.ts';
import type { Row } from './scene.ts';
import { BAD, GOOD } from './stage.ts';

/** What is kept in tables, and for how long. */
export const KEPT: readonly Row[] = [
  {
    loop: 'project',
    item: 'a stream that has no row',
    scene: async (stage) => {
      const { rig, poison } = stage;
      const dataSource = await readModelDataSource(rig.url, 2).initialize();
      stage.onClose(() => dataSource.destroy());
      const stored = poison.tap(rig.stored() as EventStore, 'store', 'project');
      const start = stage.role((base) => projectRole({ ...base, dataSource, stored }));
      const sql = 'select 1 from fleet.container_group where stream_id = $1';
      return {
        begin: async () => {
          await stage.accept([CLUSTER, BAD], [CLUSTER, GOOD]);
          await start();
        },
        isDone: async (uid) => (await rig.pool.query(sql, [streamIdOf(CLUSTER, uid)])).rows.length === 1,
      };
    },
  },
  {
    loop: 'housekeeping',
    item: 'a chore',
    scene: (stage) => {
      const done = new Set<string>();
      const chore = (name: string) => ({
        name,
        run: () => {
          stage.poison.check('housekeeping', name);
          done.add(name);
          return Promise.resolve(1);
        },
      });
      return {
        begin: stage.role((base) => startHousekeeping(base, [chore(BAD), chore(GOOD)])),
        isDone: (name) => done.has(name),
      };
    },
  },
];
