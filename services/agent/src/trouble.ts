import { KubernetesError } from '#libs/kubernetes';
import { isOfTheBroker, NotSent } from './publish/intent-publisher.ts';

/** Whether an error says that the API server or the broker cannot be used, or that we stop: nothing is wrong with the item at hand. */
export function isTrouble(error: unknown): boolean {
  if (error instanceof NotSent) return true;
  if (error instanceof KubernetesError) return error.status === 0 || error.status === 429 || error.status >= 500;
  return isOfTheBroker(error);
}
