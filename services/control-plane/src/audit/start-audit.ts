import type { Parts } from '../parts.ts';
import { LEASE_MS, SupervisedLoop } from '../supervised-loop.ts';
import { AuditSigner } from './audit-key.ts';
import { Sealer } from './sealer.ts';
import { SealPublisher } from './seal-publisher.ts';
import { PostgresSealStore } from './seal-store.ts';

/** Time between two seals while events come in, milliseconds; a full batch is sealed at once. */
const SEAL_EVERY_MS = 2_000;

/**
 * Seals events and tells the feed of the seals; part of role `publish`. What keeps it from working is logged and counted, and shows as lag of
 * subscription `audit-seal`; it does not make the process unready: pods must run while somebody looks into a changed history.
 */
export function startAudit(
  parts: Pick<Parts, 'pool' | 'config' | 'messaging' | 'ids' | 'clock' | 'random' | 'logger' | 'metrics'>,
): { stop(): Promise<void> } {
  const { pool, config, messaging, ids, clock, random, logger, metrics } = parts;
  const store = new PostgresSealStore(pool);
  const owner = ids.uuid();
  const signer = config.auditKey && new AuditSigner(config.auditKey);
  const { fleet, auditAcceptFrom: acceptFrom } = config;
  const sealer = new Sealer({ store, fleet, signer, acceptFrom, owner, leaseMs: LEASE_MS, logger, metrics });
  const publisher = new SealPublisher({ store, messaging, fleet, owner });
  const loop = (name: string, step: () => ReturnType<Sealer['step']>): SupervisedLoop =>
    new SupervisedLoop({ name, clock, random, logger, metrics, idleMs: SEAL_EVERY_MS, step });
  const telling = loop('audit-publish', () => publisher.step());
  const sealing = loop('audit-seal', async () => {
    const result = await sealer.step();
    telling.nudge();
    return result;
  });
  sealing.start();
  telling.start();
  return {
    async stop() {
      await Promise.all([sealing.stop(), telling.stop()]);
      await sealer.leave();
    },
  };
}
