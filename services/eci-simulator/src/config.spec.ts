import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { help, readConfig, VARIABLES } from './config.ts';
import { parseScenario, readScenario } from './scenario.ts';
import { SimulatedClock } from './simulated-clock.ts';

describe('configuration', () => {
  it('has defaults, and takes an empty variable for an unset one', async () => {
    expect(await readConfig({ ECI_SIMULATOR_DATA_DIR: '' })).toMatchObject({
      host: '127.0.0.1',
      port: 18_080,
      dataDir: undefined,
    });
  });

  it('lists every fault at once with what was given, and repeats no key', async () => {
    const wrong = readConfig({
      ECI_SIMULATOR_PORT: 'abc',
      LOG_LEVEL: 'loud',
      ECI_SIMULATOR_ACCESS_KEY_SECRET: 'hidden',
      ECI_SIMULATOR_CONTROL_TOKEN: 'hidden',
      ECI_SIMULATOR_SCENARIO: '/none',
    });
    const message = await wrong.catch((error: Error) => error.message);
    expect(message).toMatch(/PORT.*\n.*LOG_LEVEL.*\n.*ACCESS_KEY_ID.*\n.*cannot read \/none/s);
    expect(message).not.toContain('hidden');
    for (const given of ['"abc"', '"loud"']) expect(message).toContain(given);
  });

  it('explains every variable that it reads', async () => {
    const source = await readFile(new URL('./config.ts', import.meta.url), 'utf8');
    const read = new Set([...source.matchAll(/data\.([A-Z_]+)/g)].map(([, name]) => name));
    expect([...read, 'ECI_SIMULATOR_SCENARIO'].sort()).toEqual(VARIABLES.map(({ name }) => name).sort());
    for (const { name } of VARIABLES) expect(help()).toContain(name);
  });
});

describe('scenario', () => {
  it('of the examples is right', async () => {
    const scenario = await readScenario(new URL('../scenarios/busy-day.yaml', import.meta.url).pathname);
    expect(scenario.stock).toContainEqual({ zone: 'cn-hangzhou-h', spec: '*', capacity: 0 });
  });

  it('is refused with the path of every fault', () => {
    const wrong = {
      settings: { latencies: { createMs: [5, 1] }, colour: 1 },
      stock: [{ zone: 'z', capacity: -1 }],
      regions: [{ id: 'r', zones: ['a'], vSwitches: [{ id: 'v', zone: 'b', vpcId: 'p', cidr: '10.0.0.0/33' }] }],
    };
    expect(() => parseScenario(wrong)).toThrow(/latencies\.createMs.*first number/s);
    expect(() => parseScenario(wrong)).toThrow(/colour/);
    expect(() => parseScenario(wrong)).toThrow(/stock\.0\.capacity/);
    expect(() => parseScenario(wrong)).toThrow(/cidr.*no IPv4 block/);
  });
});

describe('SimulatedClock', () => {
  it('runs with its speed, stands still, jumps, and keeps what has passed', () => {
    let real = 0;
    const clock = new SimulatedClock(1_000, () => real);
    real = 500;
    expect(clock.now()).toBe(1_500);
    clock.set({ speed: 10 });
    real = 600;
    expect([clock.now(), clock.realMsUntil(3_500)]).toEqual([2_500, 100]);
    clock.set({ stopped: true });
    real = 9_000;
    clock.advance(100);
    expect([clock.now(), clock.realMsUntil(99_999)]).toEqual([2_600, undefined]);
  });
});
