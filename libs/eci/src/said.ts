import { cutText } from '#libs/contracts';

/**
 * How much of what the cloud says is kept, UTF-16 units: it is stored with every sight and written to the pod. What was cut ends with `…`. Cleaned
 * it was before, where its answers come in.
 */
const LONGEST = { message: 4096, reason: 1024, name: 128 } as const;

type Cut = <T extends string | undefined>(text: T) => T;
const to =
  (longest: number): Cut =>
  (text) =>
    (text === undefined ? undefined : cutText(text, longest)) as typeof text;

/** A kubelet keeps as much of a container's last words. */
export const message = to(LONGEST.message);
/** Reasons and images. */
export const reason = to(LONGEST.reason);
/** Names, addresses, codes of requests. */
export const name = to(LONGEST.name);

/** An id names something and is never cut; one longer than the cloud gives is none. */
export const idOf = (text: string | undefined): string | undefined =>
  text && text.length <= LONGEST.name ? text : undefined;

const TIME = /^((?:19[7-9]|2\d{2})\d-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})$/;

/** A time that every reader takes for the same time, as it was written; anything else is none. */
export function time(text: string | undefined): string | undefined {
  const day = TIME.exec(text ?? '')?.[1];
  if (day === undefined || Number.isNaN(Date.parse(text!))) return undefined;
  // 30 February is 2 March to some and an error to others.
  const midnight = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day) ? text : undefined;
}
