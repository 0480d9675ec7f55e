import { isTrouble } from '#libs/event-store';

/**
 * Asks about many items at once; when that fails for a reason that may lie in one of them, about one after the other, so that only those that
 * fail by themselves are in `failed`. Throws what says that the database is away. Asking twice must be harmless.
 */
export async function oneByOne<Item, Answer>(
  items: readonly Item[],
  ask: (items: readonly Item[]) => Promise<Answer>,
): Promise<{ readonly answers: readonly Answer[]; readonly failed: ReadonlyMap<Item, unknown> }> {
  const failed = new Map<Item, unknown>();
  if (items.length === 0) return { answers: [], failed };
  try {
    return { answers: [await ask(items)], failed };
  } catch (error) {
    if (isTrouble(error)) throw error;
    if (items.length === 1) return { answers: [], failed: new Map([[items[0] as Item, error]]) };
  }
  const answers: Answer[] = [];
  for (const item of items) {
    try {
      answers.push(await ask([item]));
    } catch (error) {
      if (isTrouble(error)) throw error;
      failed.set(item, error);
    }
  }
  return { answers, failed };
}
