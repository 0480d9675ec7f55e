import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { BehaviourRule } from '../core/behaviour.ts';
import type { FaultRule } from '../core/faults.ts';
import type { Change, Settings } from '../core/settings.ts';
import type { RunningCloud } from '../running-cloud.ts';
import {
  behaviourSchema,
  bucketsSchema,
  check,
  clockSchema,
  credentialSchema,
  faultSchema,
  ipsSchema,
  latenciesSchema,
  parseScenario,
  settingsSchema,
  stockSchema,
  zonesSchema,
} from '../scenario.ts';
import { ledgerRoutes } from './control-ledger.ts';
import { type ControlAnswer, ControlError, type Route } from './control-route.ts';
import type { Credential } from './signature.ts';

/** The control API: one table of routes, which is also its description. */
export function controlApi(
  running: RunningCloud,
): (method: string, path: string, query: URLSearchParams, body: unknown) => Promise<ControlAnswer> {
  const routes = routesOf(running);
  return async (method, path, query, body) => {
    const below = path.slice('/control/v1'.length).replace(/\/$/, '');
    const found = routes.filter((route) => matches(route.path, below));
    const route = found.find((each) => each.method === method);
    try {
      if (!route)
        throw new ControlError(
          found.length > 0 ? 405 : 404,
          `There is no ${method} ${path}. GET /control/v1 lists what there is.`,
        );
      const rest = route.path.endsWith('/*') ? decodeURIComponent(below.slice(route.path.length - 1)) : '';
      const answer = await route.run({ query, body, rest });
      await running.catchUp();
      return { status: 200, body: answer ?? {} };
    } catch (error) {
      if (error instanceof ControlError) return { status: error.status, body: { message: error.message } };
      throw error;
    }
  };
}

function matches(path: string, below: string): boolean {
  if (!path.endsWith('/*')) return path === below;
  const base = path.slice(0, -1);
  return below.startsWith(base) && below.length > base.length && !below.slice(base.length).includes('/');
}

function read<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  try {
    return check(schema, body, 'body');
  } catch (error) {
    throw new ControlError(400, (error as Error).message);
  }
}

function known(found: boolean, id: string): Record<string, never> {
  if (!found) throw new ControlError(404, `There is no ${id}.`);
  return {};
}

function routesOf(running: RunningCloud): Route[] {
  const routes: Route[] = [
    {
      method: 'GET',
      path: '',
      what: 'This list.',
      run: () => ({
        title: 'ECI simulator, control API',
        note: 'Send the token as `Authorization: Bearer <token>`. Secrets in the ledger are digests, unless it was started to keep them. Bodies are JSON; unknown fields are refused with 400. Every answer comes after all that is due has happened.',
        routes: routes.map(({ method, path, what, body }) => ({
          method,
          path: `/control/v1${path}`,
          what,
          ...(body ? { body } : {}),
        })),
      }),
    },
    {
      method: 'GET',
      path: '/health',
      what: 'Simulated and real time, speed, groups known by status, whether state is kept on disk.',
      run: () => ({ status: 'ok', ...clockView(running), groups: running.cloud.counts(), durable: running.durable }),
    },
    ...worldRoutes(running),
    {
      method: 'GET',
      path: '/settings',
      what: 'Everything that can be switched, with its present value.',
      run: () => running.cloud.settings,
    },
    {
      method: 'PATCH',
      path: '/settings',
      what: 'Changes what is given; the rest stays. Answers all settings.',
      body: '{signatures?, latencies?, asynchronousStockFailure?, tokenCheck?, tokenMemoryMs?, deleteOfGone?, deleteOfUnseen?, deleteOfTerminating?, fullVSwitch?, throttleStatus?, buckets?, bucketsPerRegion?, unknownParameters?, envValueMax?, retention?, account?, accounts?, ledgerRequests?}',
      run: ({ body }) => change(running, read(settingsSchema, body) as Change<Settings>),
    },
    {
      method: 'PATCH',
      path: '/latencies',
      what: 'Short for settings.latencies.',
      body: '{factor?, createMs?: [from, to], deleteMs?, describeMs?, schedulingMs?, pullingMs?, pullingCachedMs?, terminatingMs?, visibilityMs?, stopMs?, restart?: {firstMs?, baseMs?, capMs?}}',
      run: ({ body }) => change(running, { latencies: read(latenciesSchema, body) } as Change<Settings>).latencies,
    },
    {
      method: 'PUT',
      path: '/buckets',
      what: 'Short for settings.buckets: replaces all and fills them.',
      body: '"published" | "newer" | "unlimited" | {"<Action>" | "*": {ratePerSecond, burst} | null}',
      run: ({ body }) => change(running, { buckets: read(bucketsSchema, body) }).buckets,
    },
    {
      method: 'GET',
      path: '/clock',
      what: 'Simulated time and speed.',
      run: () => clockView(running),
    },
    {
      method: 'PATCH',
      path: '/clock',
      what: 'Sets the speed, stops, starts, or jumps ahead; all that falls due on the way happens.',
      body: '{speed?: >0, stopped?: boolean, advanceMs?: ≥0}',
      run: async ({ body }) => {
        const { advanceMs, ...rest } = read(clockSchema.extend({ advanceMs: z.number().min(0).optional() }), body);
        running.clock.set(rest);
        if (advanceMs !== undefined) running.clock.advance(advanceMs);
        await running.catchUp();
        return clockView(running);
      },
    },
    ...ruleRoutes(running),
    {
      method: 'POST',
      path: '/credentials',
      what: 'Adds an AccessKey, or replaces the one of the same id.',
      body: '{accessKeyId, accessKeySecret, accountId?: "demo", securityToken?, expiresAt?: epoch ms, inactive?}',
      run: ({ body }) => {
        const credential = read(credentialSchema, body) as Credential;
        running.credentials.set(credential.accessKeyId, credential);
      },
    },
    {
      method: 'DELETE',
      path: '/credentials/*',
      what: 'Takes an AccessKey away.',
      run: ({ rest }) => known(running.credentials.delete(rest), rest),
    },
    {
      method: 'DELETE',
      path: '/groups/*',
      what: 'Makes a container group vanish at once, as if somebody else had removed it.',
      run: ({ rest }) => known(running.cloud.vanish(rest, running.now()), rest),
    },
    ...ledgerRoutes(running),
    {
      method: 'POST',
      path: '/reset',
      what: 'Forgets groups, tokens, ledger, rules and changes, and begins anew: with the scenario of the start, or with the one given.',
      body: '{scenario?: as in the scenario file}',
      run: async ({ body }) => {
        const { scenario } = read(z.strictObject({ scenario: z.unknown().optional() }), body ?? {});
        try {
          await running.reset(scenario === undefined ? undefined : parseScenario(scenario));
        } catch (error) {
          throw new ControlError(400, (error as Error).message);
        }
      },
    },
  ];
  return routes;
}

function change(running: RunningCloud, changes: Change<Settings>): Settings {
  running.cloud.change(changes);
  return running.cloud.settings;
}

function clockView(running: RunningCloud): Record<string, unknown> {
  const { simulated, real } = running.now();
  return {
    simulatedTime: new Date(simulated).toISOString(),
    realTime: new Date(real).toISOString(),
    speed: running.clock.speed,
    stopped: running.clock.stopped,
  };
}

function worldRoutes(running: RunningCloud): Route[] {
  const world = (): RunningCloud['cloud']['world'] => running.cloud.world;
  const ips = (): unknown => ({
    vSwitches: world()
      .allVSwitches()
      .map(({ id, zone, cidr, addresses: { capacity, inUse, free } }) => ({
        vSwitch: id,
        zone,
        cidr,
        capacity,
        inUse,
        free,
      })),
  });
  const view = (): unknown => ({ regions: world().regions, closedZones: [...world().closedZones] });
  return [
    {
      method: 'GET',
      path: '/world',
      what: 'Regions, zones, vSwitches, security groups, and the zones that are closed for purchase.',
      run: view,
    },
    {
      method: 'PUT',
      path: '/zones',
      what: 'Closes or opens zones (Zone.NotOnSale).',
      body: '[{zone, closed}]',
      run: ({ body }) => {
        for (const { zone, closed } of read(zonesSchema, body)) {
          if (closed) world().closedZones.add(zone);
          else world().closedZones.delete(zone);
        }
        return view();
      },
    },
    {
      method: 'GET',
      path: '/stock',
      what: 'Limits and what is held, by zone and spec.',
      run: () => ({ stock: world().stock.view() }),
    },
    {
      method: 'PUT',
      path: '/stock',
      what: 'Sets limits; others stay. capacity = groups that may hold capacity at the same time (0 = sold out, null = no limit). spec: "2-4Gi", "ecs.c6.large", family "ecs.c6", "spot", or "*".',
      body: '[{zone, spec?: "*", capacity: number | null}]',
      run: ({ body }) => {
        world().stock.setLimits(read(stockSchema, body));
        return { stock: world().stock.view() };
      },
    },
    {
      method: 'DELETE',
      path: '/stock',
      what: 'Removes every limit: all is ample.',
      run: () => world().stock.clearLimits(),
    },
    { method: 'GET', path: '/ips', what: 'Addresses per vSwitch.', run: ips },
    {
      method: 'PUT',
      path: '/ips',
      what: 'Limits how many addresses of a vSwitch may be in use at the same time (null = as many as the block holds).',
      body: '[{vSwitch, limit: number | null}]',
      run: ({ body }) => {
        for (const { vSwitch, limit } of read(ipsSchema, body)) {
          const found = world().vSwitch(vSwitch);
          if (!found) throw new ControlError(404, `There is no vSwitch ${vSwitch}.`);
          found.addresses.setLimit(limit ?? undefined);
        }
        return ips();
      },
    },
  ];
}

function ruleRoutes(running: RunningCloud): Route[] {
  return [
    {
      method: 'GET',
      path: '/faults',
      what: 'Fault rules in order, with hits and what is left.',
      run: () => ({ faults: running.cloud.faults.view() }),
    },
    {
      method: 'POST',
      path: '/faults',
      what: 'Adds a rule at the end; the first that matches a request is used. kind: lost-answer (executed, then cut or silent), silence, reset, html-503, empty-500, garbage-200, error, delay, slow, truncate-page, empty-list.',
      body: '{kind, id?, action?, match?: {<Parameter>: pattern with *}, account?, count?, skip?, probability?, executed?, lost?: "reset"|"silence", code?, status?, message?, delayMs?, when?: "before"|"after", page?: "cut"|"short"|"lost-token"}',
      run: ({ body }) => {
        const given = read(faultSchema, body);
        const rule = { ...given, id: given.id ?? randomUUID() } as FaultRule;
        running.cloud.faults.add(rule);
        return rule;
      },
    },
    { method: 'DELETE', path: '/faults', what: 'Removes every fault rule.', run: () => running.cloud.faults.clear() },
    {
      method: 'DELETE',
      path: '/faults/*',
      what: 'Removes one fault rule.',
      run: ({ rest }) => known(running.cloud.faults.remove(rest), rest),
    },
    {
      method: 'GET',
      path: '/behaviours',
      what: 'Rules about containers, in order.',
      run: () => ({ behaviours: running.cloud.behaviours.view() }),
    },
    {
      method: 'POST',
      path: '/behaviours',
      what: 'Adds a rule for groups made from now on; the first that matches a container is used. Times are simulated ms.',
      body: '{match: {image?, container?, group?, env?: {}, tags?: {}}, id?, count?: groups, runMs?: number|null, exitCode?, oomKilled?, runs?: [{runMs, exitCode, reason?}], imagePullFails?: boolean|number, readyAfterMs?: number|null, stopMs?}',
      run: ({ body }) => {
        const given = read(behaviourSchema, body);
        const rule = { ...given, id: given.id ?? randomUUID() } as BehaviourRule;
        running.cloud.behaviours.add(rule);
        return rule;
      },
    },
    {
      method: 'DELETE',
      path: '/behaviours',
      what: 'Removes every behaviour rule.',
      run: () => running.cloud.behaviours.clear(),
    },
    {
      method: 'DELETE',
      path: '/behaviours/*',
      what: 'Removes one behaviour rule.',
      run: ({ rest }) => known(running.cloud.behaviours.remove(rest), rest),
    },
  ];
}
