import type { PodObject, Reflector } from '#libs/kubernetes';
import type { AsideItems, Logger } from '#libs/observability';
import { Loop, type Clock, type Ids, type LoopStep, type Random } from '#libs/runtime';
import { NotSent, type IntentPublisher } from '../publish/intent-publisher.ts';
import { inventoryOf, type InventoryView } from './inventory.ts';

interface InventoriesOptions {
  readonly pods: Pick<Reflector<PodObject>, 'values' | 'synced'>;
  readonly publisher: IntentPublisher;
  readonly view: InventoryView;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Pods of which an inventory says only that they are there. */
  readonly aside: AsideItems;
  readonly periodSeconds: number;
  /** Resolves when the first one may go: what was written before this start is known by then. */
  readonly ready: Promise<void>;
}

/** Sends inventories: at start, when asked, and every few minutes, which turns a lost message of any kind into a delay. */
export class Inventories {
  private readonly options: InventoriesOptions;
  private readonly loop: Loop;
  private begun = false;

  constructor(options: InventoriesOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'inventory',
      clock: options.clock,
      random: options.random,
      idleMs: options.periodSeconds * 1000,
      step: (stopping) => this.step(stopping),
      onError: (error) => {
        if (!(error instanceof NotSent)) options.logger.warn('the inventory was not sent', { error });
      },
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  sendNow(): void {
    this.loop.nudge();
  }

  private async step(stopping: AbortSignal): Promise<LoopStep> {
    const { pods, publisher, view, ids, random, periodSeconds, ready, logger, aside } = this.options;
    if (!this.begun) {
      await Promise.race([
        Promise.all([ready, pods.synced()]),
        new Promise((resolve) => stopping.addEventListener('abort', resolve, { once: true })),
      ]);
      this.begun = true;
    }
    if (stopping.aborted) return 'idle';
    const failed = new Map<string, unknown>();
    const onFailed = (uid: string, error: unknown): void => void failed.set(uid, error);
    const chunks = inventoryOf(ids.uuid(), pods.values(), { ...view, onFailed });
    for (const { item } of aside.list()) if (!failed.has(item)) aside.done(item);
    for (const [uid, error] of failed) aside.put(uid, error, periodSeconds * 1000);
    await Promise.all(chunks.map((chunk) => publisher.send(chunk)));
    logger.debug('sent an inventory', {
      pods: chunks.reduce((sum, c) => sum + c.pods.length, 0),
      chunks: chunks.length,
    });
    // Agents that started together drift apart.
    return Math.round(periodSeconds * 1000 * (0.9 + random.next() * 0.2));
  }
}
