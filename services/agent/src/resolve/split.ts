import type { PodObject } from '#libs/kubernetes';
import type { RunPod, SealedRunPod } from '#libs/contracts';

type Json = Record<string, unknown>;

/** The pod for the clear part of a message, and what was taken out of it for the sealed part. */
interface SplitPod {
  readonly metadata: RunPod['pod']['metadata'];
  readonly spec: RunPod['pod']['spec'];
  readonly env: SealedRunPod['env'];
  readonly annotations: SealedRunPod['annotations'];
}

/** It repeats every env value of the pod in clear. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Separates what may be read on the way from what may not. Clear: the names, labels, images, commands, arguments and settings. Sealed: every
 * env value, and the values of annotations of other families, in which people keep anything. Removed: what nobody needs (managedFields,
 * last-applied), and values in fields that cannot run on ECI anyway and that are known to carry credentials (headers of probes, options of
 * flex and CSI volumes): the mapping refuses the field by its name and needs no value for that.
 */
export function splitPod(pod: PodObject): SplitPod {
  const env: Record<string, string> = {};
  const annotations: Record<string, string> = {};

  const metadata: Json = { ...pod.metadata };
  delete metadata.managedFields;
  const clearAnnotations: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(pod.metadata.annotations ?? {})) {
    if (name === LAST_APPLIED) continue;
    if (isClearAnnotation(name)) {
      clearAnnotations[name] = value;
    } else {
      clearAnnotations[name] = null;
      annotations[name] = value;
    }
  }
  if (pod.metadata.annotations) metadata.annotations = clearAnnotations;

  // It came as JSON; this copies it several times faster than `structuredClone`.
  const spec = JSON.parse(JSON.stringify(pod.spec)) as Json;
  for (const list of ['containers', 'initContainers', 'ephemeralContainers'] as const) {
    for (const container of objects(spec[list])) {
      objects(container.env).forEach((variable, index) => {
        if (typeof variable.value !== 'string') return;
        env[`${list}/${String(container.name)}/${index}`] = variable.value;
        variable.value = '';
      });
      for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) blankHeaders(container[probe]);
      const lifecycle = (container.lifecycle ?? {}) as Json;
      blankHeaders(lifecycle.postStart);
      blankHeaders(lifecycle.preStop);
    }
  }
  for (const volume of objects(spec.volumes)) {
    blankValues((volume.flexVolume as Json | undefined)?.options);
    blankValues((volume.csi as Json | undefined)?.volumeAttributes);
  }
  return { metadata, spec, env, annotations };
}

/** Families whose values are settings that the control plane reads: `k8s.aliyun.com`, `alibabacloud.com`, `kubernetes.io` and its subdomains. */
export function isClearAnnotation(name: string): boolean {
  const domain = name.includes('/') ? name.slice(0, name.indexOf('/')) : '';
  return (
    domain === 'k8s.aliyun.com' ||
    domain === 'alibabacloud.com' ||
    domain === 'kubernetes.io' ||
    domain.endsWith('.kubernetes.io')
  );
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter((v): v is Json => typeof v === 'object' && v !== null) : [];
}

function blankHeaders(handler: unknown): void {
  const headers = ((handler as Json | undefined)?.httpGet as Json | undefined)?.httpHeaders;
  for (const header of objects(headers)) header.value = '';
}

function blankValues(values: unknown): void {
  if (typeof values !== 'object' || values === null) return;
  for (const key of Object.keys(values)) (values as Json)[key] = '';
}
