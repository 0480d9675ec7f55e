import type { AsideItem } from '#libs/observability';
import type { Parts } from '../parts.ts';
import { LEASE_MS, SupervisedLoop } from '../supervised-loop.ts';
import { AuditSigner } from './audit-key.ts';
import { Sealer } from './sealer.ts';
import { SealPublisher } from './seal-publisher.ts';
import { SealArchiver } from './seal-archiver.ts';
import { SealFolder } from './seal-folder.ts';
import { PostgresSealStore } from './seal-store.ts';

/** Time between two seals while events come in, milliseconds; a full batch is sealed at once. */
const SEAL_EVERY_MS = 2_000;

/**
 * Seals events, tells the feed of the seals and keeps them outside, where that is configured; part of role `publish`. What keeps it from working is logged and counted, and shows as lag of
 * subscription `audit-seal`; it does not make the process unready: pods must run while somebody looks into a changed history.
 */
export function startAudit(
  parts: Pick<Parts, 'pool' | 'config' | 'messaging' | 'ids' | 'clock' | 'random' | 'logger' | 'metrics'>,
): { stop(): Promise<void>; setAside(): readonly AsideItem[] } {
  const { pool, config, messaging, ids, clock, random, logger, metrics } = parts;
  const store = new PostgresSealStore(pool);
  const owner = ids.uuid();
  const signer = config.auditKey && new AuditSigner(config.auditKey);
  const { fleet, auditAcceptFrom: acceptFrom } = config;
  const archive = config.sealsFolder === undefined ? undefined : new SealFolder(config.sealsFolder);
  const sealer = new Sealer({ store, fleet, signer, acceptFrom, archive, owner, leaseMs: LEASE_MS, logger, metrics });
  const archiver = archive && new SealArchiver({ store, archive, owner, clock, logger, metrics });
  const publisher = new SealPublisher({ store, messaging, fleet, owner });
  const loop = (name: string, step: () => ReturnType<Sealer['step']>): SupervisedLoop =>
    new SupervisedLoop({ name, clock, random, logger, metrics, idleMs: SEAL_EVERY_MS, step });
  const telling = loop('audit-publish', () => publisher.step());
  const keeping = archiver && loop('audit-archive', () => archiver.step());
  const sealing = loop('audit-seal', async () => {
    const result = await sealer.step();
    telling.nudge();
    keeping?.nudge();
    return result;
  });
  sealing.start();
  telling.start();
  keeping?.start();
  return {
    setAside: () => archiver?.setAside() ?? [],
    async stop() {
      await Promise.all([sealing.stop(), telling.stop(), keeping?.stop()]);
      await sealer.leave();
    },
  };
}
