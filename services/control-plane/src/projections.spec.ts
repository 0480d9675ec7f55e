import { expect, it } from 'vitest';
import { PROJECTIONS } from './projections.ts';

it('each projection has a name and tables of its own, so that one rebuild never takes what another keeps', () => {
  const tables = PROJECTIONS.flatMap((projection) => projection.tables);
  expect(tables.length).toBeGreaterThanOrEqual(PROJECTIONS.length);
  expect(new Set(tables).size).toBe(tables.length);
  expect(new Set(PROJECTIONS.map(({ name }) => name)).size).toBe(PROJECTIONS.length);
});
