import { describe, expect, it } from 'vitest';
import { eventually, GiveUp } from './eventually.ts';

describe('eventually', () => {
  it('returns the first truthy answer', async () => {
    let asked = 0;

    const answer = await eventually(() => (++asked < 3 ? undefined : `asked ${asked}`), {
      what: 'the third',
      everyMs: 1,
    });

    expect(answer).toBe('asked 3');
  });

  it('takes a throw for "not yet"', async () => {
    let asked = 0;
    const refusedTwice = async (): Promise<boolean> => {
      if (++asked < 3) throw new Error('connection refused');
      return true;
    };

    await expect(eventually(refusedTwice, { what: 'a connection', everyMs: 1 })).resolves.toBe(true);
  });

  it('names what was awaited and the last value', async () => {
    const pending = eventually(() => 0, { what: 'pods of the job', deadlineMs: 10, everyMs: 1 });

    await expect(pending).rejects.toThrow('pods of the job: not within 10 ms; last value: 0');
  });

  it('names the last error', async () => {
    const failing = (): never => {
      throw new Error('no such pod');
    };

    await expect(eventually(failing, { what: 'a pod', deadlineMs: 10, everyMs: 1 })).rejects.toThrow(
      'a pod: not within 10 ms; last error: no such pod',
    );
  });

  it('does not wait for a question that hangs', async () => {
    const hanging = new Promise<boolean>(() => undefined);

    await expect(eventually(() => hanging, { what: 'an answer', deadlineMs: 10 })).rejects.toThrow('it never answered');
  });

  it('ends at once when the condition can never hold', async () => {
    const cause = new Error('it has ended');
    const given = eventually(
      () => {
        throw new GiveUp(cause);
      },
      { what: 'a process', deadlineMs: 60_000 },
    );

    await expect(given).rejects.toBe(cause);
  });
});
