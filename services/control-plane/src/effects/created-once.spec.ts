import type { CreateAnswer } from '#libs/eci';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { podsOf, type OnePod } from '../../spec/effects/one-pod.ts';
import type { Scripted } from '../../spec/effects/scripted-eci.ts';
import { chosen, edited, refusedBy, stopped, wanted } from '../../spec/effects/told.ts';
import { CreateEffects } from './create-effects.ts';

const given = podsOf((parts, tools) => new CreateEffects(parts, tools));

/** How long the cloud knows a client token: after that the same call makes another group. */
const TOKEN_LIVES_MS = 30 * 60_000;

/** Makes a group for each token that it does not know, whatever it then answers. */
class ForgetfulCloud {
  private readonly knownSince = new Map<string, number>();
  made = 0;

  take(pod: OnePod): string {
    const { clientToken } = pod.eci.sent.at(-1)!;
    const now = pod.clock.now();
    if (now - (this.knownSince.get(clientToken) ?? -Infinity) >= TOKEN_LIVES_MS) {
      this.knownSince.set(clientToken, now);
      this.made += 1;
    }
    return `eci-${this.made}`;
  }
}

/** What one call comes to, and what happens while it is made. */
interface Call {
  readonly answer: 'done' | 'made, and unknown' | 'unknown' | 'thrown' | 'not sent' | 'throttled' | 'refused';
  readonly meanwhile: 'nothing' | 'edited' | 'stopped' | 'claim lost';
  /** Until the next claim, beyond when it is due. */
  readonly laterMs: number;
}

const calls: fc.Arbitrary<readonly Call[]> = fc.array(
  fc.record({
    answer: fc.constantFrom('done', 'made, and unknown', 'unknown', 'thrown', 'not sent', 'throttled', 'refused'),
    meanwhile: fc.constantFrom('nothing', 'nothing', 'edited', 'stopped', 'claim lost'),
    laterMs: fc.oneof(fc.constant(0), fc.nat(45 * 60_000)),
  }),
  { minLength: 1, maxLength: 12 },
);

function scripted(
  pod: OnePod,
  cloud: ForgetfulCloud,
  { answer, meanwhile }: Call,
  turn: number,
): Scripted<CreateAnswer> {
  return async () => {
    const made = answer === 'done' || answer === 'made, and unknown' ? cloud.take(pod) : '';
    if (meanwhile === 'edited') await pod.say(edited(turn + 2));
    if (meanwhile === 'stopped') await pod.say(stopped);
    if (meanwhile === 'claim lost') await pod.steal();
    switch (answer) {
      case 'done':
        return { kind: 'done', containerGroupId: made, requestId: 'r' };
      case 'made, and unknown':
      case 'unknown':
        return { kind: 'unknown', reason: answer };
      case 'thrown':
        throw new Error(answer);
      case 'not sent':
      case 'throttled':
        return { kind: 'retry', reason: answer, throttled: answer === 'throttled' };
      case 'refused':
        return refusedBy('STOCK_OUT');
    }
  };
}

it('whatever the cloud answers and whoever else does what, one attempt never makes two groups', async () => {
  await fc.assert(
    fc.asyncProperty(calls, async (script) => {
      const pod = await given(wanted, chosen);
      const cloud = new ForgetfulCloud();
      for (const [turn, call] of script.entries()) {
        if (!pod.rows()['Create 1']) break;
        await pod.clock.advance(call.laterMs);
        pod.eci.answers('create', scripted(pod, cloud, call, turn));
        await pod.when();
      }

      expect(cloud.made).toBeLessThanOrEqual(1);
      expect(new Set(pod.eci.sent.map((frozen) => JSON.stringify(frozen))).size).toBeLessThanOrEqual(1);
    }),
    { numRuns: 100 },
  );
});
