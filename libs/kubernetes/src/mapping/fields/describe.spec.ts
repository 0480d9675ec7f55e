import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { podFieldRows, podFieldsPage } from '../../../spec/field-rows.ts';

const PAGE = new URL('../../../../../docs/operators/pod-fields.md', import.meta.url);

it('the documentation shows the table that the mapping reads by', async () => {
  const config = await resolveConfig(PAGE);
  const page = await format(podFieldsPage(), { ...config, parser: 'markdown' });
  // `vitest -u` writes the page anew.
  await expect(page).toMatchFileSnapshot(PAGE.pathname);
});

it('every refused and ignored field says why', () => {
  for (const { path, use, note } of podFieldRows()) {
    if (use !== 'mapped') expect(note, path).not.toBe('');
  }
});

it('what Kubernetes calls by name is in the table', () => {
  const paths = new Map(podFieldRows().map(({ path, use }) => [path, use]));
  expect(paths.get('spec.tolerations')).toBe('ignored');
  expect(paths.get('spec.containers[].securityContext.privileged')).toBe('refused');
  expect(paths.get('spec.volumes[].hostPath')).toBe('refused');
  expect(paths.get('spec.containers[].env[].valueFrom.secretKeyRef')).toBe('mapped');
});
