/**
 * Pauses that a row has waited out, milliseconds, as whoever paused wrote them into its data under this name. It may be claimed again only when the
 * pause is over by the database's clock, so this is time that has passed, whichever replicas claimed it and whatever their clocks say. No rule of
 * evidence compares the clocks of two processes, for either may be wrong; a clock that is set costs one pause at most.
 */
export function waitedMs({ data }: { readonly data: Readonly<Record<string, unknown>> }, name: string): number {
  const waited = data[name];
  return typeof waited === 'number' ? waited : 0;
}
