import { defineConfig } from 'vitest/config';
import { QUICK_FAULTS } from './test/faults/subset.ts';

// Nest needs legacy decorators with metadata; libs are imported from their sources through the condition `source`.
const shared = {
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  ssr: { resolve: { conditions: ['source'] } },
  resolve: { conditions: ['source'] },
  // Global set-ups are loaded in an environment of their own.
  environments: { __vitest__: { resolve: { conditions: ['source'] } } },
};

export default defineConfig({
  ...shared,
  test: {
    // Two cores: more workers than that only make the real parts wait for each other.
    maxWorkers: 2,
    reporters: ['default', ['json', { outputFile: 'test-results/vitest.json' }]],
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: ['{libs,services,migrations,test}/**/*.spec.ts'],
          exclude: ['**/*.int.spec.ts', '**/*.e2e.spec.ts', '**/node_modules/**', 'dist/**'],
          // What computes for a second here takes many on a machine that does more than this.
          testTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'integration',
          include: ['{libs,services,migrations,test}/**/*.int.spec.ts'],
          exclude: ['**/node_modules/**', 'dist/**'],
          globalSetup: ['libs/testing/src/vitest-global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'e2e',
          include: ['test/**/*.e2e.spec.ts'],
          exclude: ['test/faults/**', '**/node_modules/**', 'dist/**'],
          globalSetup: ['libs/testing/src/vitest-global-setup.ts'],
          testTimeout: 180_000,
          hookTimeout: 600_000,
        },
      },
      {
        ...shared,
        test: {
          // `npm test` runs those that `test/faults/subset.ts` names; `npm run test:faults` all.
          name: 'faults',
          include: (process.env['FAULTS'] === 'all' ? ['*'] : QUICK_FAULTS).map(
            (name) => `test/faults/${name}.e2e.spec.ts`,
          ),
          exclude: ['**/node_modules/**', 'dist/**'],
          globalSetup: ['libs/testing/src/vitest-global-setup.ts'],
          testTimeout: 600_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
