import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PATCHES = readdirSync(join(import.meta.dirname, 'mutations')).filter((name) => name.endsWith('.patch'));

// Whether the simulation notices them takes long, and is `npm run simulate:mutations`; that they still fit is known at once.
describe('the patches that break the product on purpose', () => {
  it('are there', () => expect(PATCHES.length).toBeGreaterThan(15));

  it.each(PATCHES)('fit the sources as they are: %s', (name) => {
    const patch = join('test/simulation/mutations', name);
    const check = () => execFileSync('git', ['apply', '--check', patch], { cwd: ROOT, stdio: 'pipe' });
    expect(check).not.toThrow();
  });
});
