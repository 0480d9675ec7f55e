import type { StatusWriter } from './status-writer.ts';

/**
 * Statuses are written only while all is known that there is to know, pods and topic: of a half-read topic the newest status of a pod may be one
 * that was long overtaken, and writing it would take a running pod back to Pending.
 */
export class WholeTopic {
  private readonly writer: Pick<StatusWriter, 'compare' | 'pause' | 'resume'>;
  private podsKnown = false;
  private topicKnown = false;

  constructor(writer: WholeTopic['writer']) {
    this.writer = writer;
  }

  /** The topic is known up to its end, as it was when it was assigned. */
  get known(): boolean {
    return this.topicKnown;
  }

  /** The watch has brought every pod of the node. */
  onPods(): void {
    this.podsKnown = true;
    this.write();
  }

  /** The topic is known up to its end, or from now on only a part of it. */
  onTopic(known: 'whole' | 'part'): void {
    this.topicKnown = known === 'whole';
    if (!this.topicKnown) this.writer.pause();
    this.write();
  }

  private write(): void {
    if (!this.podsKnown || !this.topicKnown) return;
    this.writer.compare();
    this.writer.resume();
  }
}
