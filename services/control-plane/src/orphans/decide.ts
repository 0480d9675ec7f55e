import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { ActingCommand } from '../operators/acting-command.ts';
import type { Acting } from '../operators/acting.ts';
import { OrphanDecisions } from './decide-orphan.ts';
import type { OrphanView } from './orphan-view.ts';

export class RequestOrphanRemoval extends ActingCommand<OrphanView> {
  readonly id: string;
  /** As whoever asks calls himself; shown with the decision. */
  readonly said: string;
  /** Entity tag of the orphan as it was looked at. */
  readonly stated: string;

  constructor(id: string, decision: { readonly said: string; readonly stated: string }, by: Acting) {
    super(by);
    this.id = id;
    this.said = decision.said;
    this.stated = decision.stated;
  }
}

@CommandHandler(RequestOrphanRemoval)
class RequestOrphanRemovalHandler implements ICommandHandler<RequestOrphanRemoval> {
  constructor(private readonly decisions: OrphanDecisions) {}

  execute({ id, said, stated, by }: RequestOrphanRemoval): Promise<OrphanView> {
    return this.decisions.remove(id, { said, stated }, by);
  }
}

export class KeepOrphan extends ActingCommand<OrphanView> {
  readonly id: string;
  /** As whoever asks calls himself; shown with the decision. */
  readonly said: string;
  readonly reason: string;

  constructor(id: string, decision: { readonly said: string; readonly reason: string }, by: Acting) {
    super(by);
    this.id = id;
    this.said = decision.said;
    this.reason = decision.reason;
  }
}

@CommandHandler(KeepOrphan)
class KeepOrphanHandler implements ICommandHandler<KeepOrphan> {
  constructor(private readonly decisions: OrphanDecisions) {}

  execute({ id, said, reason, by }: KeepOrphan): Promise<OrphanView> {
    return this.decisions.keep(id, { said, reason }, by);
  }
}

export const ORPHAN_HANDLERS = [RequestOrphanRemovalHandler, KeepOrphanHandler];
