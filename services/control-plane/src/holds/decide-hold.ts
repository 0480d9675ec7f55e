import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { notFound } from '../answers/refusal.ts';
import { ActingCommand } from '../operators/acting-command.ts';
import type { Acting } from '../operators/acting.ts';
import { HoldDesk, type Decided, type HoldDecision } from './hold-desk.ts';

/** Lets held stops happen, or keeps the pods running. */
export class DecideHold extends ActingCommand<Decided> {
  readonly decision: Omit<HoldDecision, 'actor' | 'reason'>;

  constructor(decision: Omit<HoldDecision, 'actor' | 'reason'>, by: Acting) {
    super(by);
    this.decision = decision;
  }
}

@CommandHandler(DecideHold)
export class DecideHoldHandler implements ICommandHandler<DecideHold> {
  constructor(private readonly desk: HoldDesk) {}

  async execute({ decision, by: { actor, reason } }: DecideHold): Promise<Decided> {
    const { clusterId, verdict } = decision;
    const decided = await this.desk.decide({ ...decision, actor, ...(reason === undefined ? {} : { reason }) });
    if (decided.stops === 0 && decided.ended === undefined)
      throw notFound(
        `nothing that could be ${verdict === 'deny' ? 'denied' : 'released'} is held in ${clusterId.slice(0, 100)}`,
      );
    return decided;
  }
}
