import type { GroupSnapshot, ContainerState } from '#libs/domain';
import { EciClients, type DescribeAnswer, type EciClient } from '#libs/eci';
import { eciOf } from '../../libs/eci/spec/eci-of.ts';

/** A cloud in which every text about a container quotes it, as termination messages and events of probes do; the rest is the cloud inside. */
export class TalkativeCloud extends EciClients {
  private readonly inner: EciClients;
  private readonly words: string;

  constructor(inner: EciClients, words: string) {
    super();
    this.inner = inner;
    this.words = words;
  }

  async for(accountId: string, region: string): Promise<EciClient> {
    const client = await this.inner.for(accountId, region);
    const told = (snapshot: GroupSnapshot): GroupSnapshot => this.told(snapshot);
    const verbs: Pick<EciClient, 'freeze' | 'create' | 'delete' | 'describeOnce' | 'list' | 'changes'> = {
      freeze: (...given) => client.freeze(...given),
      create: (...given) => client.create(...given),
      delete: (...given) => client.delete(...given),
      describeOnce: async (ids) =>
        each(await client.describeOnce(ids), (found) => found.map((g) => ({ ...g, snapshot: told(g.snapshot) }))),
      list: async (...given) =>
        each(await client.list(...given), (page) => ({
          ...page,
          groups: page.groups.map((g) => ({ ...g, snapshot: told(g.snapshot) })),
        })),
      changes: async (...given) =>
        each(await client.changes(...given), (page) => ({ ...page, groups: page.groups.map(told) })),
    };
    return eciOf(verbs);
  }

  private told(snapshot: GroupSnapshot): GroupSnapshot {
    const message = this.words;
    const state = (now: ContainerState): ContainerState => (now.state === 'running' ? now : { ...now, message });
    const containers = (list: GroupSnapshot['containers']) =>
      list && {
        list: list.map((c) => ({ ...c, state: state(c.state), ...(c.lastState && { lastState: state(c.lastState) }) })),
      };
    const main = containers(snapshot.containers)?.list;
    const init = containers(snapshot.initContainers)?.list;
    return {
      ...snapshot,
      ...(main && { containers: main }),
      ...(init && { initContainers: init }),
      ...(snapshot.conditions && { conditions: snapshot.conditions.map((c) => ({ ...c, message })) }),
      ...(snapshot.cloudEvents && { cloudEvents: snapshot.cloudEvents.map((e) => ({ ...e, message })) }),
    };
  }
}

const each = <T>(answer: DescribeAnswer<T>, change: (value: T) => T): DescribeAnswer<T> =>
  answer.kind === 'done' ? { ...answer, value: change(answer.value) } : answer;
