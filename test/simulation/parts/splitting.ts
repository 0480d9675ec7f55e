import type { Inventory } from '#libs/contracts';
import type { IntentPublisher } from '../../../services/agent/src/publish/intent-publisher.ts';

/** Sends inventories of more than a few pods in two chunks; the agent itself does that from 2,000 pods on. */
export function inChunks(publisher: IntentPublisher): IntentPublisher {
  const send: IntentPublisher['send'] = async (body, sealed) => {
    if (body.kind !== 'Inventory' || body.chunks > 1 || body.pods.length < 4) return publisher.send(body, sealed);
    const half = Math.ceil(body.pods.length / 2);
    const chunk = (number: number, pods: Inventory['pods']): Inventory => ({ ...body, chunk: number, chunks: 2, pods });
    await Promise.all([
      publisher.send(chunk(0, body.pods.slice(0, half))),
      publisher.send(chunk(1, body.pods.slice(half))),
    ]);
  };
  return Object.assign(Object.create(publisher) as IntentPublisher, { send });
}
