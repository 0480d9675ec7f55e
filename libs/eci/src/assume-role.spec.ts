import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assumeRole, parseEndpoint } from './index.ts';
import { json, localCloud } from '../spec/local-cloud.ts';

const KEY = { accessKeyId: 'LTAI-base-canary', accessKeySecret: 'secret-canary', securityToken: 'token-canary' };
const ARN = 'acs:ram::123:role/fleet';
const CREDENTIALS = {
  AccessKeyId: 'STS.id',
  AccessKeySecret: 's',
  SecurityToken: 't',
  Expiration: '2026-11-30T13:00:00Z',
};

let cloud: Awaited<ReturnType<typeof localCloud>>;
beforeEach(async () => void (cloud = await localCloud()));
afterEach(() => cloud.close());
const assume = () => assumeRole({ key: KEY, roleArn: ARN, endpoint: parseEndpoint(cloud.url)!, timeoutMs: 500 });

describe('a role', () => {
  it('gives a key for an hour', async () => {
    cloud.will(json({ RequestId: 'R', Credentials: CREDENTIALS }));
    expect(await assume()).toEqual({
      key: { accessKeyId: 'STS.id', accessKeySecret: 's', securityToken: 't' },
      expiresAt: Date.parse('2026-11-30T13:00:00Z'),
    });
    const [seen] = cloud.seen;
    expect(seen?.headers['x-acs-action']).toBe('AssumeRole');
    expect(seen?.query.get('RoleArn')).toBe(ARN);
    expect(seen?.query.get('DurationSeconds')).toBe('3600');
    expect(JSON.stringify(seen)).not.toContain('secret-canary');
  });

  it.each([
    ['NoPermission', 403],
    ['EntityNotExist.Role', 404],
    ['InvalidAccessKeyId.NotFound', 404],
    ['InvalidParameter.RoleArn', 400],
  ])('that the cloud refuses (%s) is a matter of the credential', async (code, status) => {
    cloud.will(json({ RequestId: 'R', Code: code, Message: 'not you, LTAI-base-canary' }, status));
    const failed = assume();
    await expect(failed).rejects.toMatchObject({ name: 'CloudAccountUnusable', code: 'credential' });
    await expect(failed).rejects.toThrow(`role ${ARN} cannot be assumed: ${code}: not you, [redacted]`);
  });

  it.each([
    ['throttling', json({ RequestId: 'R', Code: 'Throttling.User', Message: 'slow' }, 400)],
    ['silence', () => undefined],
    ['no JSON', (response: { end(text: string): unknown }) => void response.end('<html>')],
    ['no key', json({ RequestId: 'R' })],
    ['half a key', json({ Credentials: { ...CREDENTIALS, AccessKeySecret: '' } })],
    ['no end', json({ Credentials: { ...CREDENTIALS, Expiration: 'soon' } })],
    ['a redirect', json({ Credentials: CREDENTIALS }, 307)],
  ] as const)('is a moment’s trouble with %s', async (_, reply) => {
    cloud.will(reply as Parameters<typeof cloud.will>[0]);
    const failed = assume();
    await expect(failed).rejects.not.toMatchObject({ name: 'CloudAccountUnusable' });
    await expect(failed).rejects.toThrow(`role ${ARN} cannot be assumed`);
    await expect(failed).rejects.not.toThrow(/canary/);
  });
});
