import { expect, it } from 'vitest';
import { z } from 'zod';
import { describe as inWords, helpLines, markdownTable } from './describe.ts';
import { Given } from './given.ts';
import { readSections, section, variablesOf } from './section.ts';

const door = section({
  variables: {
    HOST: { meaning: 'where | to', default: 'here' },
    KEY: { meaning: 'a key', secret: true, otherwise: 'none', orFile: 'file with it' },
  },
  rules: (given) => {
    if (given.environment['HOST'] === 'everywhere' && !given.has('KEY')) given.fault('HOST', 'wants KEY');
  },
  settings: (v) => ({ host: v.HOST, doors: ['front'] }),
});
const pace = section({
  variables: { PACE: { meaning: 'how fast', unit: 'steps', default: '3', schema: z.coerce.number() } },
  settings: (v) => ({ pace: v.PACE, doors: ['back'] }),
});
const SECTIONS = [door, pace] as const;

it('sections come to one configuration, and what several list is one list', () => {
  const config = readSections(SECTIONS, new Given({ PACE: '5' }));
  const pace: number = config.pace;
  expect({ ...config, pace }).toEqual({ host: 'here', pace: 5, doors: ['front', 'back'] });
});

it('the faults of one section do not hide those of another, nor rules those of variables', () => {
  const given = new Given({ HOST: 'everywhere', PACE: 'fast', KEY_FILE: '' });
  expect(() => readSections(SECTIONS, given)).toThrow('2 faults');
  expect(given.faults.map((fault) => fault.split(':')[0])).toEqual(['HOST', 'PACE']);
});

it('people are told of every variable, in the order of the sections', () => {
  const table = variablesOf(SECTIONS);
  expect(inWords(table)).toEqual([
    { name: 'HOST', meaning: 'where | to', default: 'here' },
    { name: 'KEY', meaning: 'a key', default: 'none', secret: true },
    { name: 'KEY_FILE', meaning: 'file with it' },
    { name: 'PACE', meaning: 'how fast', default: '3', unit: 'steps' },
  ]);
  expect(helpLines(table)).toEqual([
    '  HOST      where | to [default: here]',
    '  KEY       a key [default: none]',
    '  KEY_FILE  file with it',
    '  PACE      how fast [unit: steps; default: 3]',
  ]);
  expect(markdownTable(table).split('\n').slice(2)).toEqual([
    '| `HOST` | where \\| to | here |',
    '| `KEY` | a key | none |',
    '| `KEY_FILE` | file with it |  |',
    '| `PACE` | how fast (steps) | 3 |',
  ]);
});
