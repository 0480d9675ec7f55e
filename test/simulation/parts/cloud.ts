import type { Ids, Random } from '#libs/runtime';
import { Cloud, type Call } from '../../../services/eci-simulator/src/core/cloud.ts';
import type { LedgerGroup } from '../../../services/eci-simulator/src/core/group.ts';
import type { Reply, WireRequest } from '../../../services/eci-simulator/src/core/reply.ts';
import { Bell } from '../engine/bell.ts';
import type { Cancel, Scheduler } from '../engine/scheduler.ts';

/** What one create was when it took effect. */
export interface ExecutedCreate {
  readonly group: LedgerGroup;
  /** Milliseconds between the moment the caller meant to send it and the moment it took effect. */
  readonly lateMs: number;
}

interface CloudWatch {
  /** A call arrived; `action` as on the wire. */
  readonly onCall: (account: string, action: string, region: string) => void;
  /** A create made a new group. */
  readonly onCreate: (create: ExecutedCreate) => void;
  readonly onAnswer: (action: string, code: string | null, fault: string | null) => void;
}

/** No answer came within the client's time (both of its timeouts are 15 s). */
const CLIENT_TIMEOUT_MS = 15_000;

/** The simulator's core on the virtual clock. */
export class SimulatedCloud {
  readonly core: Cloud;
  /** Rings when anything that a caller could see may have changed. */
  readonly bell: Bell;
  /** What containers that have ended say last, while it is set; whoever has said it goes on saying it. */
  lastWords: { readonly text: string; readonly onSaid: () => void } | undefined;
  private readonly said = new Map<string, string>();
  private readonly scheduler: Scheduler;
  private readonly watch: CloudWatch;
  private cancel: Cancel = () => undefined;

  constructor(parts: {
    readonly scheduler: Scheduler;
    readonly random: Random;
    readonly ids: Ids;
    readonly watch: CloudWatch;
  }) {
    this.scheduler = parts.scheduler;
    this.watch = parts.watch;
    this.bell = new Bell(parts.scheduler);
    this.core = new Cloud({
      random: parts.random,
      ids: parts.ids,
      // Nobody reads them here, so that nothing is spent on hiding them.
      keepSecrets: true,
      settings: {
        signatures: 'off',
        latencies: { createMs: [30, 200], deleteMs: [20, 100], describeMs: [10, 60], factor: 1 },
        deleteOfGone: 'not-found',
        ledgerRequests: 200,
      },
    });
  }

  get now(): { readonly simulated: number; readonly real: number } {
    return { simulated: this.scheduler.now, real: this.scheduler.now };
  }

  groups(): Iterable<LedgerGroup> {
    return this.core.ledger.groups();
  }

  /** Makes what was changed from outside, or by time, happen. */
  touch(): void {
    this.core.advanceTo(this.now);
    this.arm();
    this.bell.ring();
  }

  /**
   * The call on its way: resolves with the answer, rejects as the SDK does. It goes on whether or not its caller lives. `sentAt` = when its
   * caller last made sure that it may send it.
   */
  request(request: WireRequest, sentAt: number): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      let open = true;
      const { scheduler } = this;
      const cancelTimeout = scheduler.after(CLIENT_TIMEOUT_MS, () => {
        open = false;
        reject(Object.assign(new Error('ReadTimeout'), { name: 'RequestTimeoutError' }));
      });
      this.watch.onCall(request.account, request.action, request.parameters.get('RegionId') ?? '');
      const call = this.core.receive(request, this.now);
      scheduler.after(call.holdMs, () => {
        const reply = this.perform(call, sentAt);
        scheduler.after(reply.delayMs, () => {
          this.core.settle(call);
          if (!open) return;
          if (reply.delivery.kind === 'silence') return;
          cancelTimeout();
          answer({ ...reply, body: this.withLastWords(reply.body, undefined) }, resolve, reject);
        });
      });
    });
  }

  /** A group that somebody made under the fleet's tag; answers its id. */
  makeStranger(account: string, region: string, fleet: string, number: number): string {
    const parameters = new Map([
      ['RegionId', region],
      ['ContainerGroupName', `stranger-${number}`],
      ['VSwitchId', 'vsw-demo-h'],
      ['SecurityGroupId', 'sg-demo'],
      ['Cpu', '2'],
      ['Memory', '4'],
      ['Container.1.Name', 'main'],
      ['Container.1.Image', 'app:1'],
      ['Tag.1.Key', 'eci-fleet'],
      ['Tag.1.Value', fleet],
      ['Tag.2.Key', 'eci-fleet-cluster'],
      ['Tag.2.Value', 'another'],
      ['Tag.3.Key', 'eci-fleet-pod-uid'],
      ['Tag.3.Value', `stranger-${number}`],
    ]);
    const request: WireRequest = { account, action: 'CreateContainerGroup', version: '2018-08-08', parameters };
    const call = this.core.receive(request, this.now);
    const { body } = this.core.perform(call, this.now);
    this.core.settle(call);
    this.arm();
    return String((body as Record<string, unknown>)['ContainerGroupId']);
  }

  private perform(call: Call, sentAt: number): Reply {
    const { action } = call.request;
    const before = [...this.core.ledger.groups()].length;
    const reply = this.core.perform(call, this.now);
    const groups = action === 'CreateContainerGroup' ? [...this.core.ledger.groups()] : [];
    const { outcome } = call.entry;
    this.watch.onAnswer(action, outcome?.code ?? null, outcome?.fault ?? null);
    if (groups.length > before) {
      this.watch.onCreate({ group: groups.at(-1) as LedgerGroup, lateMs: this.scheduler.now - sentAt });
    }
    this.arm();
    if (action === 'CreateContainerGroup' || action === 'DeleteContainerGroup') this.bell.ring();
    return reply;
  }

  /** The answer with the last words of each container that has ended; `groupId` = of which group this is a part. */
  private withLastWords(part: unknown, groupId: string | undefined): unknown {
    if (Array.isArray(part)) return part.map((item) => this.withLastWords(item, groupId));
    if (typeof part !== 'object' || part === null) return part;
    const fields = part as Record<string, unknown>;
    const id = typeof fields['ContainerGroupId'] === 'string' ? fields['ContainerGroupId'] : groupId;
    const inside = Object.entries(fields).map(([name, value]) => [name, this.withLastWords(value, id)] as const);
    const ended = id !== undefined && (fields['State'] === 'Terminated' || 'ExitCode' in fields);
    const words = ended ? this.wordsOf(id) : undefined;
    return Object.fromEntries(words === undefined ? inside : [...inside, ['Message', words]]);
  }

  private wordsOf(groupId: string): string | undefined {
    if (this.lastWords && !this.said.has(groupId)) {
      this.said.set(groupId, this.lastWords.text);
      this.lastWords.onSaid();
    }
    return this.said.get(groupId);
  }

  private arm(): void {
    this.cancel();
    const next = this.core.nextDueAt;
    this.cancel = next === undefined ? () => undefined : this.scheduler.at(next, () => this.touch());
  }
}

function answer(
  { status, body, delivery }: Reply,
  resolve: (body: Record<string, unknown>) => void,
  reject: (error: unknown) => void,
): void {
  const said = body as Record<string, unknown>;
  switch (delivery.kind) {
    case 'answer':
    case 'slow':
      if (status === 200) resolve(said);
      else
        reject(
          Object.assign(new Error('refused'), {
            code: said['Code'],
            statusCode: status,
            data: { Message: said['Message'], RequestId: said['RequestId'], statusCode: status },
          }),
        );
      return;
    case 'reset':
      reject(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }));
      return;
    case 'cut':
      reject(new SyntaxError('Unexpected end of JSON input'));
      return;
    case 'raw':
      // What is not JSON fails in the SDK's parser, whatever its status.
      reject(new SyntaxError('Unexpected token'));
      return;
    case 'silence':
      return;
  }
}
