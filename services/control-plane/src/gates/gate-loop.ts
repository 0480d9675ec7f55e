import { gateKey } from '#libs/domain';
import { isTrouble, type GateQueue } from '#libs/event-store';
import { AsideItems, type AsideItem, type Logger, type Metrics } from '#libs/observability';
import type { Clock, LoopStep, Random } from '#libs/runtime';
import { SupervisedLoop } from '../supervised-loop.ts';
import { SetAside } from '../streams/set-aside.ts';
import type { StreamCommands } from '../streams/stream-commands.ts';

interface GateLoopParts {
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

type DueGate = Awaited<ReturnType<GateQueue['dueGates']>>[number];

/**
 * Lets parked pods try again: one probe through a shut gate, as many as its budget through a gate that opens. It only unparks; what comes of the
 * attempt is reported to the gate by whoever makes it. Any number of replicas may run.
 */
export class GateLoop {
  private readonly parts: GateLoopParts;
  private readonly loop: SupervisedLoop;
  private readonly gatesAside: AsideItems;
  private readonly streamsAside: SetAside<string>;
  private readonly released;

  constructor(parts: GateLoopParts) {
    this.parts = parts;
    this.released = parts.metrics.counter('eci_fleet_gate_released_total', 'Parked pods that were let through a gate');
    this.gatesAside = new AsideItems({ ...parts, loop: 'gates' });
    this.streamsAside = new SetAside({ ...parts, loop: 'gates streams' });
    this.loop = new SupervisedLoop({
      ...parts,
      name: 'gates',
      idleMs: POLL_MS,
      step: () => this.step(),
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

  setAside(): readonly AsideItem[] {
    return [...this.gatesAside.list(), ...this.streamsAside.list()];
  }

  private async step(): Promise<LoopStep> {
    const due = await this.parts.gates.dueGates(GATES, LEASE_MS);
    await Promise.all(due.map((gate) => this.tryOpen(gate)));
    return due.length === GATES ? 'busy' : 'idle';
  }

  private async tryOpen(due: DueGate): Promise<void> {
    try {
      await this.open(due);
      this.gatesAside.done(due.gate);
    } catch (error) {
      if (isTrouble(error)) throw error;
      // Its lease ends, and it is due again, on whichever replica.
      this.gatesAside.put(due.gate, error, LEASE_MS);
    }
  }

  /** A stream that is set aside does not stand in the way of those behind it: the next one takes its turn. */
  private async open({ gate, budget }: DueGate): Promise<void> {
    for (let left = budget; left > 0;) {
      const first = await this.parts.gates.peek(gate, left + this.streamsAside.size);
      const streamIds = first.filter((streamId) => !this.streamsAside.waits(streamId)).slice(0, left);
      const done = await this.streamsAside.each(
        streamIds,
        (streamId) => streamId,
        (streamId) => this.release(streamId, gate),
      );
      if (done.length === streamIds.length) return;
      left -= done.length;
    }
  }

  /** A lost race is skipped: whoever won it changed the stream, and the next round sees what is left. */
  private async release(streamId: string, gate: string): Promise<void> {
    const once = await this.parts.streams.executeOnce(
      streamId,
      // The row may be older than the stream: only one that waits behind this gate is let through.
      ({ parked }) => (parked && gateKey(parked.gate) === gate ? [{ type: 'Unpark', by: `gate ${gate}` }] : []),
      { actor: 'control-plane:gates', causationId: `gate:${gate}` },
    );
    if (once.kind === 'done' && once.events.length > 0) this.released.inc();
  }
}
