import { describe, expect, it } from 'vitest';
import { functionTexts } from './functions.ts';
import { numberedFiles } from './numbered.ts';

/** What the newest numbered file that names a function says of it. */
function named(): ReadonlyMap<string, string> {
  const said = new Map<string, string>();
  for (const { sql } of numberedFiles()) {
    for (const [, name, word] of sql.matchAll(/^-- function (\w+\.\w+) ([0-9a-f]{16}|gone)$/gm)) said.set(name!, word!);
  }
  return said;
}

describe('function files', () => {
  it('make one function each, the one they are called after, and say who may execute it', () => {
    for (const { name, sql } of functionTexts()) {
      expect(sql.match(/^create or replace function \w+\.\w+(?=\()/gm), name).toEqual([
        `create or replace function ${name}`,
      ]);
      expect(sql.split('$$').at(-1), name).toMatch(
        new RegExp(
          `^;\n\nrevoke all on function ${name} from public;\n(grant execute on function ${name} to \\w+;\n)?$`,
        ),
      );
      expect(sql, `${name}: what it is for`).toMatch(/^-- \S/);
    }
  });

  it('change with a numbered file, so that an older release knows that it is older', () => {
    const present = functionTexts().map(({ name, digest }) => `-- function ${name} ${digest.slice(0, 16)}`);
    const said = [...named()]
      .filter(([, word]) => word !== 'gone')
      .map(([name, word]) => `-- function ${name} ${word}`);
    expect(said.sort(), 'add a file to migrations/sql with the lines that are missing here').toEqual(present.sort());
  });
});
