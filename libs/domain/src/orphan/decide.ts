import type { NewOrphanEvent, OrphanEvent, OrphanEventData, OrphanFacts } from './events.ts';
import type { Decision } from '../decider.ts';
import { isOpenOrphan, type OrphanPhase, type OrphanState } from './state.ts';

export type OrphanCommand =
  /** Seen in a complete list and a direct read, older than the grace period, known to no stream. */
  | { readonly type: 'Quarantine'; readonly facts: OrphanFacts; readonly why: string }
  | { readonly type: 'Keep'; readonly by: string; readonly reason: string }
  /** `onlyIn`: refused when it is in another phase by now than whoever asks has seen. */
  | {
      readonly type: 'RequestRemoval';
      readonly by: string;
      readonly reason?: string;
      readonly onlyIn?: OrphanPhase;
    }
  | { readonly type: 'RecordDelete'; readonly requestId: string }
  /** After our delete it is proven gone. */
  | { readonly type: 'RecordRemoved'; readonly evidence: string }
  | {
      readonly type: 'Close';
      readonly reason: OrphanEventData['OrphanClosed']['reason'];
      readonly evidence: string;
      readonly streamId?: string;
      /** Said by whoever removes it, who alone knows that none of our deletes can have gone out. */
      readonly undeleted?: true;
    };

/** A group may not be touched, or even called an orphan, before it is this old: its stream may just not have heard of it. */
export const ORPHAN_GRACE_MS = 10 * 60_000;

/** What one command does to one orphan. Pure; the same command twice changes nothing the second time. `at` is ISO 8601 UTC. */
export function decideOrphan(command: OrphanCommand, state: OrphanState, at: string): Decision<OrphanEvent> {
  if (state.unknownEvents.length > 0) {
    return no('UnknownEvents', `the orphan has events of a newer version (${state.unknownEvents.join(', ')})`);
  }
  const outcome = eventsOf(command, state);
  return 'code' in outcome
    ? outcome
    : { accepted: true, events: outcome.map((event) => ({ ...event, at }) as OrphanEvent) };
}

type Refusal = Extract<Decision<OrphanEvent>, { accepted: false }>;

function eventsOf(command: OrphanCommand, state: OrphanState): NewOrphanEvent[] | Refusal {
  switch (command.type) {
    case 'Quarantine':
      // An orphan that had vanished and is found again goes into quarantine again; if an operator had kept it, it is kept still.
      if (isOpenOrphan(state)) return [];
      return [{ type: 'OrphanQuarantined', data: { ...command.facts, why: command.why } }];
    case 'Keep':
      if (state.phase === 'kept') return [];
      if (state.phase === 'removing') return no('BeingRemoved', 'its removal was asked for and is under way');
      if (state.phase !== 'quarantined') return notOpen(state);
      return [{ type: 'OrphanKept', data: { by: command.by, reason: command.reason } }];
    case 'RequestRemoval': {
      const { by, reason, onlyIn = state.phase } = command;
      if (state.phase !== onlyIn) return no('PhaseChanged', `it was ${onlyIn}, and is ${state.phase} by now`);
      if (state.phase === 'removing') return [];
      if (!isOpenOrphan(state)) return notOpen(state);
      return [{ type: 'OrphanRemovalRequested', data: { by, ...(reason === undefined ? {} : { reason }) } }];
    }
    case 'RecordDelete':
      return state.phase === 'removing' && state.removal?.deleteAcceptedAt === undefined
        ? [{ type: 'OrphanDeleteAccepted', data: { requestId: command.requestId } }]
        : [];
    case 'RecordRemoved':
      return state.phase === 'removing' ? [{ type: 'OrphanRemoved', data: { evidence: command.evidence } }] : [];
    case 'Close': {
      if (!isOpenOrphan(state)) return [];
      const { evidence, streamId, undeleted } = command;
      const isGone = command.reason === 'vanished' || command.reason === 'ended';
      if (state.phase === 'removing' && isGone && !undeleted) {
        // What we deleted and is gone was removed by us, whoever noticed it. A delete may have gone out unrecorded, too: the row of the work knows.
        if (state.removal?.deleteAcceptedAt === undefined) return [];
        return [{ type: 'OrphanRemoved', data: { evidence } }];
      }
      return [
        {
          type: 'OrphanClosed',
          data: { reason: command.reason, evidence, ...(streamId === undefined ? {} : { streamId }) },
        },
      ];
    }
  }
}

function notOpen(state: OrphanState): Refusal {
  return state.phase === 'none'
    ? no('NoSuchOrphan', 'no such orphan is in quarantine')
    : no('NotOpen', `it is ${state.phase} already`);
}

function no(code: string, message: string): Refusal {
  return { accepted: false, code, message };
}
