import { Command } from '@nestjs/cqrs';
import type { Acting } from './acting.ts';

/** Something that somebody does to the fleet. Every request that changes anything is one, on the bus: what it is, who does it, and why. */
export abstract class ActingCommand<Result> extends Command<Result> {
  readonly by: Acting;

  constructor(by: Acting) {
    super();
    this.by = by;
  }
}
