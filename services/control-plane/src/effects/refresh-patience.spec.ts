import { describe, expect, it } from 'vitest';
import { RefreshPatience, type AskedPod, type Patience } from './refresh-patience.ts';

const START = Date.UTC(2026, 0, 1);

function asking() {
  const patience = new RefreshPatience();
  return (seconds: number, age: AskedPod['age'], intent: string): Patience['kind'] =>
    patience.decide({ streamId: 's', intent, age, now: START + seconds * 1_000 }).kind;
}

describe('the patience with tokens that are too old', () => {
  it('places at once what is fresh', () => {
    expect(asking()(0, 'fresh', 'a')).toBe('place');
  });

  it('asks once in 30 s, however soon the agent answers with tokens that look expired', () => {
    const at = asking();
    let questions = 0;
    for (let tenth = 0; tenth < 290; tenth++)
      if (at(tenth / 10, 'expired', `${Math.floor(tenth / 200)}`) === 'ask') questions++;

    expect(questions).toBe(1);
    expect(at(30, 'expired', 'later')).toBe('ask');
  });

  it('takes tokens that look expired when three answers brought no others: the clocks differ', () => {
    const at = asking();

    expect([at(0, 'expired', 'a'), at(1, 'expired', 'b'), at(30, 'expired', 'b'), at(31, 'expired', 'c')]).toEqual([
      'ask',
      'wait',
      'ask',
      'wait',
    ]);
    expect([at(60, 'expired', 'c'), at(61, 'expired', 'd')]).toEqual(['ask', 'place']);
  });

  it('never takes expired tokens of an agent that does not answer', () => {
    const at = asking();

    expect([0, 30, 60, 600, 6_000].map((seconds) => at(seconds, 'expired', 'a'))).toEqual(Array(5).fill('ask'));
  });

  it('takes tokens that age after two minutes, and never sends without the secrets', () => {
    expect([0, 30, 119].map((s) => asking()(s, 'ageing', 'a'))).not.toContain('place');
    const ageing = asking();
    expect([ageing(0, 'ageing', 'a'), ageing(120, 'ageing', 'b')]).toEqual(['ask', 'place']);
    const missing = asking();
    expect([missing(0, 'missing', 'a'), missing(600, 'missing', 'b')]).toEqual(['ask', 'ask']);
  });

  it('goes on when its own clock jumps back', () => {
    const at = asking();

    expect([at(0, 'expired', 'a'), at(-3_600, 'expired', 'a'), at(-3_590, 'expired', 'a')]).toEqual([
      'ask',
      'ask',
      'wait',
    ]);
  });
});
