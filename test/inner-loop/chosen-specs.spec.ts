import { WrongUsage } from '#libs/runtime';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { chosenSpecs } from './chosen-specs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const chosen = (...args: readonly string[]) => chosenSpecs(args, root);
const ORDERING = 'libs/event-store/src/ordering.int.spec.ts';

describe('the specs of the inner loop', () => {
  it('are the integration specs under a folder, and no others', () => {
    const { files, options } = chosen('libs/event-store');
    expect(files).toContain(ORDERING);
    expect(files.filter((file) => !/^libs\/event-store\/.*\.int\.spec\.ts$/.test(file))).toEqual([]);
    expect(options).toEqual([]);
  });

  it('are those of several folders, each once, or one file; options are vitest’s', () => {
    const both = chosen('libs/event-store/', 'libs/event-store/src', 'libs/messaging', '-t', 'ordering');
    expect(both.files.filter((file) => file === ORDERING)).toHaveLength(1);
    expect(both.files.some((file) => file.startsWith('libs/messaging/'))).toBe(true);
    expect(both.options).toEqual(['-t', 'ordering']);
    expect(chosen(ORDERING).files).toEqual([ORDERING]);
  });

  it.each([
    [[], 'say which folder'],
    [['-t', 'ordering'], 'say which folder'],
    [['libs/event-stores'], 'there is no folder libs/event-stores'],
    [['../elsewhere'], 'there is no folder ../elsewhere'],
    [['.'], 'there is no folder .'],
    [['libs/domain'], 'libs/domain holds no integration spec'],
    [['libs/event-store/src/cursor.spec.ts'], 'holds no integration spec'],
  ])('are not guessed from %j', (args, complaint) => {
    expect(() => chosen(...args)).toThrow(WrongUsage);
    expect(() => chosen(...args)).toThrow(complaint);
  });
});
