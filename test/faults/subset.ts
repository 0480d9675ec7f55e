/** Scenarios that `npm test` runs, by the names of their files without `.e2e.spec.ts`: together under ten minutes. `npm run test:faults` runs all. */
export const QUICK_FAULTS: readonly string[] = [
  '01-agent-killed-before-send',
  '02-agent-killed-before-ack',
  '06-topic-recreated',
  '07-rebalance-within-a-batch',
  '08-duplicates',
  '09-reordered-messages',
  '10-poison-messages',
  '11-handler-throws-every-time',
  '12-killed-before-commit',
  '13-killed-after-commit',
  '17-create-answers-lost',
];
