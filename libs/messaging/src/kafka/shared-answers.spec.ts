import { describe, expect, it } from 'vitest';
import { SharedAnswers } from './shared-answers.ts';

function start() {
  const asked: { readonly question: string; readonly answer: PromiseWithResolvers<string> }[] = [];
  const answers = new SharedAnswers<string>((question) => {
    const answer = Promise.withResolvers<string>();
    asked.push({ question, answer });
    return answer.promise;
  });
  return { asked, answers };
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('shared answers', () => {
  it('are never older than the question, and one serves all who waited for it', async () => {
    const { asked, answers } = start();
    const first = answers.to('t');
    const others = [answers.to('t'), answers.to('t'), answers.to('t')];
    const elsewhere = answers.to('u');
    expect(asked.map(({ question }) => question)).toEqual(['t', 'u']);

    asked[0]!.answer.resolve('old');
    expect(await first).toBe('old');
    await soon();
    expect(asked.map(({ question }) => question)).toEqual(['t', 'u', 't']);
    asked[1]!.answer.resolve('of u');
    asked[2]!.answer.resolve('new');

    expect(await Promise.all(others)).toEqual(['new', 'new', 'new']);
    expect(await elsewhere).toBe('of u');
  });

  it('that were refused keep nobody from asking again', async () => {
    const { asked, answers } = start();
    const first = answers.to('t');
    const second = answers.to('t');
    asked[0]!.answer.reject(new Error('away'));
    await expect(first).rejects.toThrow('away');
    await soon();
    asked[1]!.answer.reject(new Error('still away'));
    await expect(second).rejects.toThrow('still away');

    const third = answers.to('t');
    expect(asked).toHaveLength(3);
    asked[2]!.answer.resolve('back');
    expect(await third).toBe('back');
  });
});
