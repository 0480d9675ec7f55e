import { attemptInDoubt, isClosed, openGroupIds, placeOf, placeOfGroup } from '#libs/domain';
import type { MinuteOfCalls, OpenStream, OurGroup, StreamFacts } from './facts.ts';
import { lifetimesOf, type Lifetime } from './oracles/o10-cost.ts';

/** Lifetimes kept for a comparison with the cloud, which forgets finished groups after an hour (eci.md §2.3). */
const ENDED_WITHIN_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Events that are the outcome of one call, by the lane of the call. */
const CALLS: Readonly<Record<string, string>> = {
  ContainerGroupCreated: 'create',
  CreateRefused: 'create',
  DeleteAccepted: 'delete',
};

/** What the oracles of the whole fleet need of all streams, gathered while they pass by; small, for most streams are history. */
export class Survey {
  streams = 0;
  events = 0;
  readonly ours: OurGroup[] = [];
  readonly open = new Map<string, OpenStream>();
  readonly lifetimes = new Map<string, Lifetime & { readonly streamId: string }>();
  private readonly minutes = new Map<string, number>();
  private readonly now: number;

  constructor(now: number) {
    this.now = now;
  }

  add(facts: StreamFacts): void {
    const { state, streamId } = facts;
    this.streams += 1;
    this.events += facts.events.length;
    const { accountId, region } = placeOf(state);
    if (!isClosed(state)) {
      const doubt = attemptInDoubt(state) ? (state.attempt?.number ?? 0) : undefined;
      this.open.set(streamId, {
        streamId,
        ...(doubt !== undefined && { inDoubt: doubt }),
        stopped: state.stop !== undefined || state.held !== undefined,
      });
    }
    for (const containerGroupId of openGroupIds(state)) {
      const twin = state.twins[containerGroupId];
      const place = placeOfGroup(state, containerGroupId);
      const accepted = twin ? twin.deleteAcceptedAt : state.group?.deleteAcceptedAt;
      this.ours.push({
        containerGroupId,
        streamId,
        ...place,
        since: twin?.foundAt ?? state.group?.since ?? '',
        ...(accepted !== undefined && { deleteAcceptedAt: accepted }),
        twin: twin !== undefined,
      });
    }
    for (const life of lifetimesOf(facts)) {
      if (life.to === undefined || this.now - life.to < ENDED_WITHIN_MS)
        this.lifetimes.set(life.containerGroupId, { ...life, streamId });
    }
    for (const event of facts.events) {
      const action = CALLS[event.type];
      const at = Date.parse(event.recordedAt);
      if (action === undefined || this.now - at > ENDED_WITHIN_MS) continue;
      const key = `${accountId}/${region}/${action} ${Math.floor(at / MINUTE_MS) * MINUTE_MS}`;
      this.minutes.set(key, (this.minutes.get(key) ?? 0) + 1);
    }
  }

  /** Outcomes of the last hour, by lane and minute. */
  calls(): readonly MinuteOfCalls[] {
    return [...this.minutes].map(([key, calls]) => {
      const space = key.lastIndexOf(' ');
      return { lane: key.slice(0, space), minute: Number(key.slice(space + 1)), calls };
    });
  }
}
