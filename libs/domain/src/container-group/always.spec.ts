/** What must hold under any interleaving of duplicates, crashes, late answers and repeats, against a small model of the cloud. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consequencesOf } from './consequences.ts';
import { decide } from './decide.ts';
import type { ContainerGroupCommand } from './commands.ts';
import type { ContainerGroupEvent, GroupStatus } from './events.ts';
import { evolve, fold } from './evolve.ts';
import {
  attemptInDoubt,
  finalize,
  isClosed,
  isFinalStatus,
  lifeOf,
  nextAttempt,
  openGroupIds,
  wantsPlacement,
} from './questions.ts';
import { NEWEST, placement, runPod, stopPod } from '../../spec/samples.ts';
import { initialState, type ContainerGroupState } from './state.ts';

const MINUTE = 60_000;

/** ECI as far as identity goes: one group for one client token, whatever happens to answers. */
class Cloud {
  readonly groups = new Map<string, { readonly id: string; readonly attempt: number; status: GroupStatus | 'gone' }>();

  create(token: string, attempt: number): string {
    const known = this.groups.get(token);
    if (known) return known.id;
    this.groups.set(token, { id: `eci-${this.groups.size + 1}`, attempt, status: 'Scheduling' });
    return this.create(token, attempt);
  }

  open(): string[] {
    return [...this.groups.values()].filter((g) => g.status !== 'gone' && !isFinalStatus(g.status)).map((g) => g.id);
  }
}

interface World {
  now: number;
  lastCall: number;
  state: ContainerGroupState;
  readonly events: ContainerGroupEvent[];
  readonly cloud: Cloud;
  readonly said: ContainerGroupCommand[];
}

const iso = (ms: number): string => new Date(ms).toISOString();

function say(world: World, command: ContainerGroupCommand): void {
  world.said.push(command);
  const decision = decide(command, world.state, iso(world.now));
  if (!decision.accepted) return;
  consequencesOf(decision.events, world.state);
  for (const event of decision.events) {
    world.events.push(event);
    world.state = evolve(world.state, event);
  }
  const again = decide(command, world.state, iso(world.now));
  // Deciding twice changes nothing.
  if (again.accepted) expect(again.events).toEqual([]);
}

const groupStatuses: readonly GroupStatus[] = [
  'Scheduling',
  'ScheduleFailed',
  'Pending',
  'Running',
  'Restarting',
  'Succeeded',
  'Failed',
  'Expired',
  'Unknown',
];

type Move = { readonly kind: string; readonly pick: number };

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.constantFrom(
    'run',
    'run',
    'stop',
    'hold',
    'release',
    'deny',
    'place',
    'place',
    'call',
    'call',
    'lose',
    'refuse',
    'unpark',
    'observe',
    'observe',
    'progress',
    'lookUp',
    'delete',
    'repeat',
    'tick',
  ),
  pick: fc.nat(1000),
});

const REFUSALS = ['STOCK_OUT', 'VSWITCH_IP_EXHAUSTED', 'QUOTA', 'AUTH', 'INVALID_REQUEST'] as const;

function step(world: World, { kind, pick }: Move): void {
  world.now += 1000;
  const { attempt } = world.state;
  const groups = [...world.cloud.groups.values()];
  const group = groups.length > 0 ? groups[pick % groups.length] : undefined;
  switch (kind) {
    case 'run':
      return say(
        world,
        runPod({
          sequence: 1 + (pick % 4),
          digests: { a: `${pick % 3}` },
          podPhase: pick % 5 === 0 ? 'Running' : 'Pending',
        }),
      );
    case 'stop':
      return pick % 4 === 0
        ? say(world, stopPod({ reason: (['Deleted', 'ObjectGone', 'Absent'] as const)[pick % 3] as 'Deleted' }))
        : undefined;
    case 'hold':
      return say(world, stopPod({ reason: 'Absent', hold: 'k1/1', agentEpoch: 1, sequence: 1 + (pick % 4) }));
    case 'release':
      return say(world, { type: 'ReleaseStop', by: 'operator:jo' });
    case 'deny':
      return say(world, { type: 'DenyStop', by: 'operator:jo' });
    case 'place':
      return say(world, { type: 'ChoosePlacement', choice: placement(nextAttempt(world.state)) });
    case 'call':
    case 'lose': {
      // A worker sends only while the attempt is in doubt and nobody asked to stop.
      if (!attempt || !attemptInDoubt(world.state) || world.state.stop) return;
      world.lastCall = world.now;
      const containerGroupId = world.cloud.create(attempt.clientToken, attempt.number);
      const outcome =
        kind === 'call'
          ? ({ kind: 'done', containerGroupId, requestId: 'r' } as const)
          : ({ kind: 'unknown', reason: 'no answer' } as const);
      return pick % 7 === 0 ? undefined : say(world, { type: 'RecordCreate', attempt: attempt.number, outcome });
    }
    case 'refuse':
      if (!attempt || attempt.outcome !== 'pending' || world.cloud.groups.has(attempt.clientToken)) return;
      return say(world, {
        type: 'RecordCreate',
        attempt: attempt.number,
        outcome: { kind: 'refused', code: 'c', class: REFUSALS[pick % REFUSALS.length] as 'QUOTA', message: '' },
      });
    case 'unpark':
      return say(world, { type: 'Unpark', by: 'gate' });
    case 'progress':
      if (group && group.status !== 'gone' && !isFinalStatus(group.status))
        group.status = groupStatuses[pick % groupStatuses.length] as GroupStatus;
      return;
    case 'observe':
      if (group && group.status !== 'gone') {
        return say(world, {
          type: 'Observe',
          knew: NEWEST,
          snapshot: {
            containerGroupId: group.id,
            status: group.status,
            attempt: group.attempt,
            zone: 'z',
            vSwitchId: 'v',
          },
        });
      }
      return group ? say(world, { type: 'RecordGone', containerGroupId: group.id, evidence: 'read' }) : undefined;
    case 'lookUp': {
      const number = attempt?.number ?? 0;
      const found = groups.find((g) => g.attempt === number && g.status !== 'gone');
      if (found) return say(world, { type: 'RecordFound', attempt: number, containerGroupId: found.id });
      const first = world.now + 1;
      world.now += 2 * MINUTE;
      return say(world, {
        type: 'RecordAbsent',
        attempt: number,
        evidence: {
          firstAt: first,
          secondAt: world.now,
          apartMs: world.now - first,
          ageMs: world.now - (world.lastCall || first),
        },
      });
    }
    case 'delete': {
      const id = world.state.stop ? world.state.group?.containerGroupId : Object.keys(world.state.twins)[0];
      const doomed = groups.find((g) => g.id === id);
      if (!doomed) return;
      doomed.status = 'gone';
      return say(world, { type: 'RecordDelete', containerGroupId: doomed.id });
    }
    case 'repeat': {
      const old = world.said[pick % Math.max(1, world.said.length)];
      return old ? say(world, old) : undefined;
    }
    default:
      world.now += pick * 1000;
  }
}

const PHASE_RANK: Record<string, number> = {
  none: 0,
  requested: 1,
  placing: 1,
  creating: 1,
  parked: 1,
  starting: 1,
  running: 2,
  succeeded: 3,
  failed: 3,
  expired: 3,
  rejected: 3,
  deleting: 4,
  gone: 5,
};

describe('whatever happens to one pod', () => {
  it('at most one group of it is open, its life never goes back, and every prefix of its events folds', () => {
    fc.assert(
      fc.property(fc.array(move, { minLength: 1, maxLength: 60 }), (moves) => {
        const world: World = {
          now: Date.UTC(2026, 0, 1),
          lastCall: 0,
          state: initialState,
          events: [],
          cloud: new Cloud(),
          said: [],
        };
        let rank = 0;
        for (const m of moves) {
          const wanted = wantsPlacement(world.state);
          step(world, m);
          const { state, cloud } = world;
          expect(cloud.open().length).toBeLessThanOrEqual(1);
          // Every open group is known, or its attempt is in doubt.
          for (const id of cloud.open())
            expect(
              openGroupIds(state).includes(id) ||
                attemptInDoubt(state) ||
                state.end !== undefined ||
                state.stop !== undefined,
            ).toBe(true);
          if (finalize(state)) expect(cloud.open()).toEqual([]);
          if (isClosed(state)) expect(wantsPlacement(state)).toBe(false);
          // A held stop waits: neither carried out nor overtaken by an end, and nothing new is made meanwhile.
          if (state.held) expect([state.stop, state.end, wantsPlacement(state)]).toEqual([undefined, undefined, false]);
          if (wanted && attemptInDoubt(state)) expect(wantsPlacement(state)).toBe(false);
          const now = PHASE_RANK[lifeOf(state)] as number;
          expect(now, `life went back to ${lifeOf(state)}`).toBeGreaterThanOrEqual(rank);
          rank = now;
        }
        for (let n = 0; n <= world.events.length; n++) expect(fold(world.events.slice(0, n)).version).toBe(n);
        expect(fold(world.events)).toEqual(world.state);
      }),
      { numRuns: 1500 },
    );
  });
});
