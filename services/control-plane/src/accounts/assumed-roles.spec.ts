import { beforeEach, describe, expect, it } from 'vitest';
import type { AssumedRole } from '#libs/eci';
import { AssumedRoles } from './assumed-roles.ts';

const ROLE = { kind: 'role', roleArn: 'acs:ram::1:role/r', credential: 'base' } as const;
const HOUR = 3_600_000;
let now: number;
let asked: number;
let fails: Error | undefined;
let roles: AssumedRoles;

beforeEach(() => {
  now = 0;
  asked = 0;
  fails = undefined;
  roles = new AssumedRoles({
    now: () => now,
    assume: (): Promise<AssumedRole> => {
      asked++;
      if (fails) return Promise.reject(fails);
      return Promise.resolve({
        key: { accessKeyId: `id-${asked}`, accessKeySecret: 's', securityToken: 't' },
        expiresAt: now + HOUR,
      });
    },
  });
});
const id = async (): Promise<string> => (await roles.key(ROLE)).accessKeyId;

describe('the key of a role', () => {
  it('is had once, however many want it at once, and again before it ends', async () => {
    expect(await Promise.all([id(), id(), id()])).toEqual(['id-1', 'id-1', 'id-1']);
    now = HOUR - 600_001;
    expect(await id()).toBe('id-1');
    now = HOUR - 600_000;
    expect(await id()).toBe('id-2');
  });

  it('is used to its end when it cannot be renewed, and not asked for at every call', async () => {
    await id();
    fails = new Error('STS is away');
    now = HOUR - 1_000;
    expect([await id(), await id()]).toEqual(['id-1', 'id-1']);
    expect(asked).toBe(2);
    now = HOUR;
    await expect(id()).rejects.toThrow('STS is away');
    expect(asked).toBe(2);
    now = HOUR + 5_000;
    fails = undefined;
    expect(await id()).toBe('id-3');
  });
});
