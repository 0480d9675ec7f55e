import { ORPHAN_GRACE_MS, type OrphanCommand } from '#libs/domain';
import { conflict } from '../http/problem.ts';
import type { OrphanReader } from './orphan-reader.ts';
import type { OrphanStreams } from './orphan-streams.ts';
import type { OrphanView } from './orphan-view.ts';

type Decision = Extract<OrphanCommand, { type: 'Keep' | 'RequestRemoval' }>;

/** What an operator decides of one orphan; answers it as it is then. Throws a problem when it cannot be decided: young, gone, or under way. */
export class OrphanDecisions {
  private readonly reader: OrphanReader;
  private readonly streams: OrphanStreams;

  constructor(parts: { readonly reader: OrphanReader; readonly streams: OrphanStreams }) {
    this.reader = parts.reader;
    this.streams = parts.streams;
  }

  remove(id: string, by: string, reason?: string): Promise<OrphanView> {
    return this.decide(id, {
      type: 'RequestRemoval',
      by: `operator:${by}`,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  keep(id: string, by: string, reason: string): Promise<OrphanView> {
    return this.decide(id, { type: 'Keep', by: `operator:${by}`, reason });
  }

  private async decide(id: string, command: Decision): Promise<OrphanView> {
    const orphan = await this.reader.get(id);
    if (orphan.state === 'young') {
      throw conflict(
        `${orphan.id} is younger than ${ORPHAN_GRACE_MS / 60_000} minutes or not confirmed yet: its stream may still appear; ask again later`,
      );
    }
    const result = await this.streams.execute(orphan, command, { actor: command.by });
    if (result.kind === 'refused') throw conflict(`${orphan.id}: ${result.message}`);
    return this.reader.get(orphan.id);
  }
}
