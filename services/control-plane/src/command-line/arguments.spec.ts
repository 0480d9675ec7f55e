import { describe, expect, it } from 'vitest';
import { WrongUsage } from '#libs/runtime';
import { agoText, argumentsOf, operatorOf, table } from './arguments.ts';
import type { CommandContext } from './command.ts';

const context = (environment: Record<string, string>): CommandContext => ({
  environment,
  print: () => undefined,
  complain: () => undefined,
  signal: new AbortController().signal,
});

describe('arguments of commands', () => {
  it('are words, texts, lists and switches', () => {
    const given = argumentsOf(['a', '--only', 'x,y', '--only', 'z', '--yes', '--by', 'jo'], {
      only: { type: 'string', multiple: true },
      yes: { type: 'boolean' },
      by: { type: 'string' },
    });
    expect([given.words, given.list('only'), given.has('yes'), given.text('by')]).toEqual([
      ['a'],
      ['x', 'y', 'z'],
      true,
      'jo',
    ]);
    expect(() => argumentsOf(['--what'], {})).toThrow(WrongUsage);
  });

  it('name the operator: as given, else the login', () => {
    expect(operatorOf('jo', context({ USER: 'root' }))).toBe('jo');
    expect(operatorOf(undefined, context({ USER: 'root', SUDO_USER: 'jo' }))).toBe('jo');
    expect(operatorOf(undefined, context({}))).toBe('admin');
    expect(() => operatorOf('jo smith', context({}))).toThrow(WrongUsage);
  });

  it('are shown in columns, and times so that people read them', () => {
    expect(
      table([
        ['A', 'B'],
        ['long', 'x'],
      ]),
    ).toEqual(['A     B', 'long  x']);
    expect([agoText(5), agoText(600), agoText(7_500), agoText(200_000)]).toEqual([
      '5 s',
      '10 min',
      '2 h 5 min',
      '2 d 7 h',
    ]);
  });
});
