import { gateKey } from '#libs/domain';
import type { GateQueue } from '#libs/event-store';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock, LoopStep, Random } from '#libs/runtime';
import { SupervisedLoop } from '../supervised-loop.ts';
import { UndecidableStream } from '../streams/plan-append.ts';
import { StreamBusy, type StreamCommands } from '../streams/stream-commands.ts';

export interface GateLoopParts {
  readonly gates: GateQueue;
  readonly streams: StreamCommands;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Gates taken in one round, and for how long each is ours: a probe whose outcome nobody reports is followed by another after this. */
const GATES = 20;
const LEASE_MS = 30_000;
const POLL_MS = 500;

/**
 * Lets parked pods try again: one probe through a shut gate, as many as its budget through a gate that opens. It only unparks; what comes of the
 * attempt is reported to the gate by whoever makes it. Any number of replicas may run.
 */
export class GateLoop {
  private readonly parts: GateLoopParts;
  private readonly loop: SupervisedLoop;
  private readonly released;

  constructor(parts: GateLoopParts) {
    this.parts = parts;
    this.released = parts.metrics.counter('eci_fleet_gate_released_total', 'Parked pods that were let through a gate');
    this.loop = new SupervisedLoop({
      ...parts,
      name: 'gates',
      idleMs: POLL_MS,
      step: (stopping) => this.step(stopping),
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  trouble(): string | undefined {
    return this.loop.trouble();
  }

  private async step(stopping: AbortSignal): Promise<LoopStep> {
    const { gates } = this.parts;
    const due = await gates.dueGates(GATES, LEASE_MS);
    for (const { gate, budget } of due) {
      if (stopping.aborted) break;
      const streamIds = await gates.peek(gate, budget);
      await Promise.all(streamIds.map((streamId) => this.release(streamId, gate)));
    }
    return due.length === GATES ? 'busy' : 'idle';
  }

  /** A lost race is skipped: whoever won it changed the stream, and the next round sees what is left. */
  private async release(streamId: string, gate: string): Promise<void> {
    try {
      const once = await this.parts.streams.executeOnce(
        streamId,
        // The row may be older than the stream: only one that waits behind this gate is let through.
        ({ parked }) => (parked && gateKey(parked.gate) === gate ? [{ type: 'Unpark', by: `gate ${gate}` }] : []),
        { actor: 'control-plane:gates', causationId: `gate:${gate}` },
      );
      if (once.kind === 'done' && once.events.length > 0) this.released.inc();
    } catch (error) {
      if (!(error instanceof UndecidableStream) && !(error instanceof StreamBusy)) throw error;
      this.parts.logger.warn('could not unpark a pod', { streamId, gate, error });
    }
  }
}
