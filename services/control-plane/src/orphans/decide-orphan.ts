import { ORPHAN_GRACE_MS, orphanStreamId, type OrphanCommand } from '#libs/domain';
import { conflict, stateChanged } from '../answers/refusal.ts';
import { because, type Acting } from '../operators/acting.ts';
import { UndecidableStream } from '../streams/plan-append.ts';
import type { OrphanReader } from './orphan-reader.ts';
import type { OrphanStreams } from './orphan-streams.ts';
import type { OrphanView } from './orphan-view.ts';

type Decision = Extract<OrphanCommand, { type: 'Keep' | 'RequestRemoval' }>;

/** What an operator decides of one orphan; returns it as it is then. Refuses what cannot be decided: young, gone, or under way. */
export class OrphanDecisions {
  private readonly reader: OrphanReader;
  private readonly streams: OrphanStreams;

  constructor(parts: { readonly reader: OrphanReader; readonly streams: OrphanStreams }) {
    this.reader = parts.reader;
    this.streams = parts.streams;
  }

  /** `said`: as whoever asks calls himself. `stated`: entity tag of the orphan as it was looked at. Asking again for what is under way changes nothing. */
  async remove(
    id: string,
    { said, stated }: { readonly said: string; readonly stated: string },
    by: Acting,
  ): Promise<OrphanView> {
    const orphan = await this.reader.get(id);
    if (orphan.state !== 'removing' && orphan.etag !== stated) {
      throw stateChanged({
        what: `${orphan.id} is not as you saw it: it is ${orphan.state} and ${orphan.status}`,
        read: `GET /api/v1/orphans/${encodeURIComponent(orphan.id)}`,
        etag: orphan.etag,
        details: { now: { state: orphan.state, status: orphan.status } },
      });
    }
    return this.decide(orphan, { type: 'RequestRemoval', by: `operator:${said}`, ...because(by) }, by);
  }

  async keep(
    id: string,
    { said, reason }: { readonly said: string; readonly reason: string },
    by: Acting,
  ): Promise<OrphanView> {
    return this.decide(await this.reader.get(id), { type: 'Keep', by: `operator:${said}`, reason }, by);
  }

  private async decide(orphan: OrphanView, command: Decision, by: Acting): Promise<OrphanView> {
    if (orphan.state === 'young') {
      throw conflict(
        `${orphan.id} is younger than ${ORPHAN_GRACE_MS / 60_000} minutes or not confirmed yet: its stream may still appear; ask again later`,
      );
    }
    const [refusal] = await this.refusalsOf(
      orphan,
      command.type === 'RequestRemoval' ? { ...command, onlyIn: orphan.state } : command,
      by,
    );
    if (refusal) throw conflict(`${orphan.id}: ${refusal.message}`);
    return this.reader.get(orphan.id);
  }

  private async refusalsOf(
    orphan: OrphanView,
    command: Decision,
    { actor }: Acting,
  ): Promise<readonly { readonly message: string }[]> {
    try {
      const done = await this.streams.execute(orphanStreamId(orphan), command, { actor });
      return done.kind === 'done' ? done.refusals : [];
    } catch (error) {
      if (error instanceof UndecidableStream) return [error];
      throw error;
    }
  }
}
