/** Waits until all have ended, and rejects then with the first failure in their order: nothing of them is under way any more. */
export async function allEnded(work: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
