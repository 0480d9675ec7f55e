import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCE = new URL('../../services/control-plane/src/', import.meta.url).pathname;
const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const textOf = (name: string): string => readFileSync(join(SOURCE, name), 'utf8');
const writing = files.filter(
  (name) => name.endsWith('.controller.ts') && /^ {2}@(Post|Put|Patch|Delete)\(/m.test(textOf(name)),
);

describe('what operators and agents ask to be done', () => {
  it.each(writing)('goes over the bus: %s', (name) => {
    const parts = [...textOf(name).matchAll(/private readonly \w+: (\w+)/g)].map(([, type]) => type);
    expect(parts).toContain('CommandBus');
    // Whatever else it has can change nothing.
    expect(parts.filter((type) => !/^(CommandBus|QueryBus|\w+Reader)$/.test(type!))).toEqual([]);
  });

  it('says who asks and why', () => {
    const commands = files.flatMap((name) =>
      [...textOf(name).matchAll(/@CommandHandler\((\w+)\)/g)].map(([, c]) => c!),
    );
    expect(commands.length).toBeGreaterThan(8);
    const all = files.map(textOf).join('\n');
    const withoutActor = commands.filter(
      (command) => !new RegExp(`class ${command} extends (ActingCommand|ClusterDecision)<`).test(all),
    );
    expect(withoutActor).toEqual([]);
    expect(all).not.toMatch(/class (?!ActingCommand)\w+(<\w+>)? extends Command</);
  });
});
