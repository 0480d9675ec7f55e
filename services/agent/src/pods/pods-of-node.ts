import { Reflector, resources, type Change, type KubernetesApi, type PodObject } from '#libs/kubernetes';
import type { Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';

/** The pods that are bound to the node, followed. */
export function podsOfNode({
  logger,
  nodeName,
  ...parts
}: {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly onChange: (change: Change<PodObject>) => void;
}): Reflector<PodObject> {
  return new Reflector<PodObject>({
    ...parts,
    resource: resources.pods,
    fieldSelector: `spec.nodeName=${nodeName}`,
    onError: (error, failures) => {
      if (failures === 1 || failures % 10 === 0) logger.warn('pods cannot be watched; trying on', { error, failures });
    },
    onBack: (awayMs) => logger.info('pods can be watched again', { awayMs }),
  });
}
