import type { Ids, Random } from '#libs/runtime';
import { choosePlace, networkOf, type Place, sizesOf } from './allocation.ts';
import type { Behaviours } from './behaviour.ts';
import type { GroupDefinition } from './definition.ts';
import { DueQueue } from './due-queue.ts';
import { type Group, type GroupState, isFinal, type LedgerGroup, newRun } from './group.ts';
import type { Ledger } from './ledger.ts';
import { Lifecycle, type Surroundings } from './lifecycle.ts';
import { Quotas } from './quotas.ts';
import { Registry } from './registry.ts';
import { accountSettings, type Latencies, type Range, type Settings } from './settings.ts';
import { specOf } from './specs.ts';
import type { World } from './world.ts';
import { WireError } from './wire-error.ts';

/** What must survive a restart, in the order in which it happened. A later record about the same thing replaces the earlier. */
export type GroupRecord =
  | { readonly k: 'definition'; readonly id: string; readonly definition: GroupDefinition }
  | { readonly k: 'group'; readonly state: GroupState }
  | { readonly k: 'gone'; readonly ledger: LedgerGroup }
  | { readonly k: 'created-cpu'; readonly key: string; readonly day: number; readonly cpu: number };

interface GroupsOptions {
  readonly world: World;
  readonly settings: () => Settings;
  readonly behaviours: Behaviours;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly ids: Ids;
  /** Whether `takeRecords` will be called. */
  readonly recording: boolean;
}

/** Codes of the synchronous refusal → reason of the event and of the ContainerInstanceCreated condition when it comes later. */
const SCHEDULING_REASONS: Readonly<Record<string, string>> = {
  'OperationDenied.NoStock': 'NoStock',
  'Spot.NotMatched': 'NoStock',
  'Zone.NotOnSale': 'StockClose',
};

/** The groups that are known, what they hold, and what falls due. Time only moves by `advanceTo`. */
export class Groups implements Surroundings {
  readonly registry = new Registry();
  readonly quotas = new Quotas();
  private readonly options: GroupsOptions;
  private readonly lifecycle: Lifecycle;
  private readonly due = new DueQueue<{ readonly group: Group; readonly timer: string }>();
  private readonly dirty = new Set<Group>();
  private readonly undefinedYet = new Set<Group>();
  private readonly otherRecords: GroupRecord[] = [];
  private sequence = 0;
  private observed = 0;

  constructor(options: GroupsOptions) {
    this.options = options;
    this.lifecycle = new Lifecycle(this);
  }

  /** Accepts a group or throws the refusal. `now` is simulated time. */
  create(asked: GroupDefinition, account: string, now: number): Group {
    const { world, random, ids, behaviours, ledger } = this.options;
    const settings = this.options.settings();
    const { definition } = networkOf(asked, world);
    const limits = accountSettings(settings, account);
    if (limits.arrears)
      throw new WireError(
        limits.arrears,
        limits.arrears.startsWith('Forbidden') ? 403 : 400,
        'The account has an overdue payment.',
      );

    let place: Place | undefined;
    const sizes = sizesOf(definition, world.region(definition.region).extraSizes);
    try {
      place = this.choose(definition);
    } catch (error) {
      const mayFailLater = error instanceof WireError && error.code in SCHEDULING_REASONS;
      if (!mayFailLater || random.next() >= settings.asynchronousStockFailure) throw error;
    }
    const size = place?.size ?? sizes[0]!;
    const accountRegion = `${account}/${definition.region}`;
    this.quotas.check(accountRegion, size.cpu, limits, now);
    if (definition.dryRun)
      throw new WireError('DryRun.Success', 400, 'The request would have succeeded; it was a dry run.');

    const { containers, initContainers } = behaviours.of(definition);
    const id = `eci-${regionCode(definition.region)}${ids.uuid().replaceAll('-', '').slice(0, 17)}`;
    const group: Group = {
      definition,
      id,
      uuid: ids.uuid(),
      account,
      sequence: ++this.sequence,
      createdAt: now,
      visibleAt: now + draw(random, settings.latencies.visibilityMs),
      status: 'Scheduling',
      size,
      landed: false,
      holds: false,
      creation: { reason: 'Creating', message: '' },
      transitions: {},
      containers: containers.map(newRun),
      initContainers: initContainers.map(newRun),
      events: [],
      timers: {},
      observedAt: this.observed,
      gone: false,
      ledger: {
        containerGroupId: id,
        account,
        region: definition.region,
        name: definition.name,
        clientToken: definition.clientToken ?? null,
        tags: Object.fromEntries(definition.tags.map(({ Key, Value }) => [Key, Value])),
        createdAt: new Date(now).toISOString(),
        zone: null,
        vSwitch: null,
        ip: null,
        spec: specOf(size),
        status: 'Scheduling',
        history: [{ status: 'Scheduling', at: new Date(now).toISOString() }],
      },
    };
    if (place) this.hold(group, place);
    const daily = this.quotas.addCreated(accountRegion, size.cpu, now);
    if (this.options.recording) {
      this.otherRecords.push({ k: 'created-cpu', ...daily });
      this.undefinedYet.add(group);
    }
    ledger.addGroup(group.ledger);
    this.registry.add(group);
    this.lifecycle.begin(group, now);
    this.changed(group);
    return group;
  }

  /** Throws what `create` would throw now; changes nothing. */
  wouldRefuse(asked: GroupDefinition, account: string, now: number): void {
    const { definition } = networkOf(asked, this.options.world);
    const { size } = this.choose(definition);
    this.quotas.check(
      `${account}/${definition.region}`,
      size.cpu,
      accountSettings(this.options.settings(), account),
      now,
    );
  }

  delete(group: Group, now: number, force: boolean): void {
    this.lifecycle.delete(group, now, force);
  }

  get nextDueAt(): number | undefined {
    return this.due.nextAt;
  }

  /** Lets everything happen that is due until `now` (simulated), in order. `observedAt` is the clock of the callers. */
  advanceTo(now: number, observedAt: number): void {
    this.observed = Math.max(this.observed, observedAt);
    for (let next = this.due.pop(now); next; next = this.due.pop(now)) {
      const { group, timer } = next.item;
      if (group.gone || group.timers[timer] !== next.at) continue;
      delete group.timers[timer];
      if (timer === 'expire') this.forget(group, next.at);
      else if (timer === 'retire') this.prune(group, next.at);
      else this.lifecycle.fire(group, timer, next.at);
      if (!group.gone && this.options.recording) this.dirty.add(group);
    }
  }

  /** Records of all that changed since the last call. */
  takeRecords(): GroupRecord[] {
    const records = this.otherRecords.splice(0);
    for (const group of this.dirty) {
      if (this.undefinedYet.delete(group) && !group.gone)
        records.push({ k: 'definition', id: group.id, definition: group.definition });
      records.push(stateRecord(group));
    }
    this.dirty.clear();
    return records;
  }

  /** Records from which the present state can be restored. */
  allRecords(): GroupRecord[] {
    this.dirty.clear();
    this.undefinedYet.clear();
    this.otherRecords.length = 0;
    const records: GroupRecord[] = this.quotas.all().map((daily) => ({ k: 'created-cpu', ...daily }));
    for (const ledger of this.options.ledger.groups())
      if (ledger.status === 'Gone') records.push({ k: 'gone', ledger });
    for (const group of this.registry.all()) {
      records.push({ k: 'definition', id: group.id, definition: group.definition }, stateRecord(group));
    }
    return records;
  }

  restore(records: Iterable<GroupRecord>): void {
    const definitions = new Map<string, GroupDefinition>();
    const states = new Map<string, GroupState>();
    for (const record of records) {
      if (record.k === 'definition') definitions.set(record.id, record.definition);
      else if (record.k === 'group') states.set(record.state.id, record.state);
      else if (record.k === 'created-cpu') this.quotas.restore(record);
      else {
        states.delete(record.ledger.containerGroupId);
        definitions.delete(record.ledger.containerGroupId);
        this.options.ledger.addGroup(record.ledger);
      }
    }
    const groups = [...states.values()].sort((a, b) => a.sequence - b.sequence);
    for (const state of groups) {
      const definition = definitions.get(state.id);
      if (!definition) throw new Error(`The record of ${state.id} has no definition.`);
      // Records of earlier versions hold no transitions.
      const group: Group = { ...state, transitions: state.transitions ?? {}, definition };
      this.sequence = Math.max(this.sequence, group.sequence);
      this.options.ledger.addGroup(group.ledger);
      this.registry.add(group);
      if (group.holds) this.claim(group);
      for (const [timer, at] of Object.entries(group.timers)) this.due.push(at, { group, timer });
    }
    for (const group of [...this.registry.all()].sort((a, b) => a.observedAt - b.observedAt)) {
      this.observed = Math.max(this.observed, group.observedAt);
      this.registry.touched(group);
    }
    for (const group of [...this.registry.all()].sort((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0))) {
      if (isFinal(group.status) && group.status !== 'ScheduleFailed') this.registry.finalsOf(group).add(group);
    }
  }

  latencies(): Latencies {
    return this.options.settings().latencies;
  }

  observedAt(): number {
    return this.observed;
  }

  draw(range: Range): number {
    return draw(this.options.random, range) * this.latencies().factor;
  }

  occupy(group: Group): { readonly reason: string; readonly message: string } | undefined {
    try {
      this.hold(group, this.choose(group.definition));
      return undefined;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return { reason: SCHEDULING_REASONS[error.code] ?? 'FailedScheduling', message: error.message };
    }
  }

  vacate(group: Group): void {
    if (!group.holds) return;
    group.holds = false;
    const { world } = this.options;
    world.stock.release(group.zone!, group.size, isSpot(group));
    world.vSwitch(group.vSwitch!)?.addresses.release(group.ip!);
    this.quotas.release(placeOf(group), group.size.cpu);
  }

  setTimer(group: Group, timer: string, at: number): void {
    this.due.push(at, { group, timer });
  }

  changed(group: Group): void {
    group.observedAt = this.observed;
    this.registry.touched(group);
    if (this.options.recording) this.dirty.add(group);
  }

  becameFinal(group: Group, now: number): void {
    const { retention } = this.options.settings();
    if (group.status === 'ScheduleFailed')
      return this.lifecycle.setTimer(group, 'expire', now + retention.scheduleFailedMs);
    this.lifecycle.setTimer(group, 'retire', now + retention.finalMs);
    this.registry.finalsOf(group).add(group);
    this.prune(group, now);
  }

  forget(group: Group, now: number): void {
    this.vacate(group);
    group.gone = true;
    group.ledger.status = 'Gone';
    (group.ledger.history as { status: 'Gone'; at: string }[]).push({
      status: 'Gone',
      at: new Date(now).toISOString(),
    });
    this.registry.remove(group);
    if (this.options.recording) this.dirty.add(group);
  }

  /** All final groups are kept for a while, after that only the latest so many of a region. */
  private prune(group: Group, now: number): void {
    const { finalMs, finalLast } = this.options.settings().retention;
    const finals = this.registry.finalsOf(group);
    for (const oldest of finals) {
      if (finals.size <= finalLast || (oldest.finishedAt ?? 0) + finalMs > now) return;
      this.forget(oldest, now);
    }
  }

  private choose(definition: GroupDefinition): Place {
    const { world, random } = this.options;
    return choosePlace(
      sizesOf(definition, world.region(definition.region).extraSizes),
      networkOf(definition, world).vSwitches,
      {
        ordered: definition.ordered,
        spot: definition.spotStrategy !== 'NoSpot',
        world,
        random,
        fullVSwitch: this.options.settings().fullVSwitch,
      },
    );
  }

  private hold(group: Group, { vSwitch, size }: Place): void {
    group.size = size;
    group.ledger.spec = specOf(size);
    group.vSwitch = vSwitch.id;
    group.zone = vSwitch.zone;
    group.ip = vSwitch.addresses.take()!;
    group.holds = true;
    this.options.world.stock.take(vSwitch.zone, size, isSpot(group));
    this.quotas.hold(placeOf(group), size.cpu);
  }

  private claim(group: Group): void {
    this.options.world.vSwitch(group.vSwitch!)?.addresses.claim(group.ip!);
    this.options.world.stock.take(group.zone!, group.size, isSpot(group));
    this.quotas.hold(placeOf(group), group.size.cpu);
  }
}

function stateRecord(group: Group): GroupRecord {
  if (group.gone) return { k: 'gone', ledger: group.ledger };
  const { definition: _, ...state } = group;
  return { k: 'group', state };
}

function placeOf(group: Group): string {
  return `${group.account}/${group.definition.region}`;
}

function isSpot(group: Group): boolean {
  return group.definition.spotStrategy !== 'NoSpot';
}

function draw(random: Random, [from, to]: Range): number {
  return Math.round(from + random.next() * (to - from));
}

const REGION_CODES: Readonly<Record<string, string>> = {
  'cn-hangzhou': 'bp1',
  'cn-shanghai': 'uf6',
  'cn-beijing': '2ze',
  'cn-zhangjiakou': '8vb',
};

function regionCode(region: string): string {
  return REGION_CODES[region] ?? '0xi';
}
