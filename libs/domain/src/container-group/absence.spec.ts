import { describe, expect, it } from 'vitest';
import type { AbsenceEvidence } from './commands.ts';
import { containerGroupDecider } from './decider.ts';
import { wantsPlacement } from './questions.ts';
import { accepted, chosen } from '../../spec/samples.ts';
import { AT, specificationOf } from '../../spec/decider-specification.ts';

const given = specificationOf(containerGroupDecider);
const placed = [accepted(), chosen(1)];

describe('absence', () => {
  const minute = 60_000;
  const base = Date.parse(AT);
  const evidence = (over: Partial<AbsenceEvidence> = {}): AbsenceEvidence => ({
    firstAt: base + minute,
    secondAt: base + 3 * minute,
    apartMs: minute,
    ageMs: 3 * minute,
    ...over,
  });
  const unknown = [...placed, { type: 'CreateOutcomeUnknown', data: { attempt: 1, reason: 'timeout' } } as const];

  it('of two complete look-ups a minute apart settles the attempt', () => {
    const step = given(...unknown)
      .when({ type: 'RecordAbsent', attempt: 1, evidence: evidence() })
      .then({
        type: 'ContainerGroupGone',
        data: {
          attempt: 1,
          evidence: 'two complete look-ups by tag, at 1767225660000 and 1767225780000 (epoch ms), found no group',
        },
      });
    expect(wantsPlacement(step.after)).toBe(true);
  });

  it('proves nothing when less than a minute was waited between the two, whatever clocks say', () => {
    given(...unknown)
      .when({
        type: 'RecordAbsent',
        attempt: 1,
        evidence: evidence({ apartMs: minute - 1, secondAt: base + 9 * minute }),
      })
      .refused('EvidenceTooClose');
    given(...unknown)
      .when({ type: 'RecordAbsent', attempt: 1, evidence: evidence({ secondAt: base - 9 * minute }) })
      .then({
        type: 'ContainerGroupGone',
        data: {
          attempt: 1,
          evidence: 'two complete look-ups by tag, at 1767225660000 and 1767225060000 (epoch ms), found no group',
        },
      });
  });

  it.each([
    ['the database', evidence({ ageMs: 55 * minute })],
    ['the replicas', evidence({ secondAt: base + 55 * minute })],
  ])(
    'that by the clock of %s comes after ECI may have forgotten a finished group ends the pod as unknown',
    (_, late) => {
      const told = `two complete look-ups by tag, at ${late.firstAt} and ${late.secondAt} (epoch ms), found no group`;
      const gone = { type: 'ContainerGroupGone', data: { attempt: 1, evidence: told } } as const;
      const message = `The end of the container group was not seen: ${told}.`;
      const outcomeUnknown = { type: 'ContainerGroupFailed', data: { reason: 'OutcomeUnknown', message } } as const;
      given(...unknown)
        .when({ type: 'RecordAbsent', attempt: 1, evidence: late })
        .then(outcomeUnknown, gone);
      const always = accepted({ pod: { ...accepted().data.pod, restartPolicy: 'Always' } });
      given(always, ...unknown.slice(1))
        .when({ type: 'RecordAbsent', attempt: 1, evidence: late })
        .then(gone);
    },
  );
});
