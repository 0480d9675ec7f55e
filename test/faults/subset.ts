/** Scenarios that `npm test` runs, by the names of their files without `.e2e.spec.ts`: together under ten minutes. `npm run test:faults` runs all. */
export const QUICK_FAULTS: readonly string[] = [];
