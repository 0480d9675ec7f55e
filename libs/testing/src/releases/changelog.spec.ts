import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryFolder } from '../repository.ts';
import { releasesOf } from './changelog.ts';

const COMMIT = '2e163972f326415a7505f9737d45462100fb90f4';

describe('releases in a changelog', () => {
  it('are the sections with a version and a commit, newest first', () => {
    const text = [
      '# Changelog',
      '## Unreleased\n\n- new',
      `## 0.2.0\n\nCommit \`${COMMIT.replace('2', '3')}\`, 2026-12-01.`,
      `## 0.1.0\n\nCommit \`${COMMIT}\`, 2026-11-23.`,
    ].join('\n\n');
    expect(releasesOf(text).map(({ version }) => version)).toEqual(['0.2.0', '0.1.0']);
    expect(releasesOf(text).at(-1)?.commit).toBe(COMMIT);
  });

  it('are not what is not released yet', () => {
    expect(releasesOf('## 0.3.0\n\nNot yet.\n')).toEqual([]);
  });

  it('are named by ours', () => {
    expect(releasesOf(readFileSync(join(repositoryFolder, 'CHANGELOG.md'), 'utf8'))).not.toEqual([]);
  });
});
