import { hide, READABLE_POD, type IntentBody, type RunPod } from '#libs/contracts';

/** What travels of an intent: the version of its schema, what may be read on the way, and what may not. */
interface IntentHalves {
  readonly schemaVersion: 1 | 2;
  readonly body: IntentBody;
  readonly sealed: unknown;
}

/** Moves the pod of a RunPod into the sealed half, but for what is readable for ever. Other intents carry none. */
export function withPodSealed({ body, sealed }: { readonly body: IntentBody; readonly sealed: unknown }): IntentHalves {
  if (body.kind !== 'RunPod') return { schemaVersion: 1, body, sealed };
  const { metadata, spec } = body.pod;
  const { readable } = hide(body.pod, READABLE_POD);
  return {
    schemaVersion: 2,
    body: { ...body, pod: { ...body.pod, metadata: {}, spec: {}, ...(readable as Partial<RunPod['pod']>) } },
    sealed: { ...(sealed as object), pod: { metadata, spec } },
  };
}
