import { countsByLife, fetchOverview, lineOf } from './overview.ts';

/** Prints every new event, and the counts whenever they changed; a line each. */
export function startPlainView(apiUrl: string, print: (line: string) => void): () => void {
  const seen = new Set<string>();
  let lastCounts = '';
  let failing = false;
  const look = async (): Promise<void> => {
    try {
      const overview = await fetchOverview(apiUrl);
      for (const event of [...overview.lastEvents].reverse()) {
        if (seen.has(event.id)) continue;
        seen.add(event.id);
        print(lineOf(event));
      }
      if (seen.size > 10_000) seen.clear();
      const counts = countsByLife(overview.byLife)
        .map(([life, count]) => `${life} ${count}`)
        .join(', ');
      if (counts !== lastCounts) print(`container groups: ${counts || 'none yet'}`);
      lastCounts = counts;
      failing = false;
    } catch (error) {
      if (!failing) print(`the API does not answer: ${(error as Error).message}`);
      failing = true;
    }
  };
  const timer = setInterval(() => void look(), 1_000);
  void look();
  return () => clearInterval(timer);
}
