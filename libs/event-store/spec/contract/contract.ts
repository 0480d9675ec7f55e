import { catalogueContract } from './catalogue.ts';
import { effectContract } from './effects.ts';
import { eventContract } from './events.ts';
import { oddTextContract } from './odd-texts.ts';
import { quotaContract } from './quota.ts';
import { subscriptionContract } from './subscriptions.ts';
import type { StoreUnderTest } from './under-test.ts';
import { waitingContract } from './waiting.ts';

/** What every store promises, whatever it is made of; run it against each. `make` gives an empty one. */
export function eventStoreContract(name: string, make: () => Promise<StoreUnderTest>): void {
  eventContract(name, make);
  effectContract(name, make);
  oddTextContract(name, make);
  quotaContract(name, make);
  waitingContract(name, make);
  subscriptionContract(name, make);
  catalogueContract(name, make);
}
