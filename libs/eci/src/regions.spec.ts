import { describe, expect, it } from 'vitest';
import { AlibabaEciClients } from './index.ts';
import { isKnownRegion } from './regions.ts';

const clients = (over: { endpoint?: string; regions?: string[] }) =>
  new AlibabaEciClients([
    {
      id: 'acc',
      credential: () => Promise.resolve({ accessKeyId: 'id', accessKeySecret: 'secret' }),
      regions: [],
      ...over,
    },
  ]);

describe('a region', () => {
  it('that ECI is known to have is taken by an account for any region', async () => {
    await expect(clients({}).for('acc', 'cn-hangzhou')).resolves.toBeDefined();
    expect(['cn-shanghai-finance-1', 'eu-central-1', 'cn-nowhere', ''].map(isKnownRegion)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('that nobody knows is refused before its endpoint is looked for in vain', async () => {
    await expect(clients({}).for('acc', 'cn-nowhere')).rejects.toMatchObject({
      name: 'CloudAccountUnusable',
      code: 'region',
    });
    await expect(clients({}).for('acc', 'cn-nowhere')).rejects.toThrow(
      /no region cn-nowhere .* ECI_REGION .* account's regions/,
    );
  });

  it('is taken when the account names it, or an endpoint', async () => {
    await expect(clients({ regions: ['cn-new'] }).for('acc', 'cn-new')).resolves.toBeDefined();
    await expect(clients({ endpoint: 'http://127.0.0.1:1' }).for('acc', 'cn-new')).resolves.toBeDefined();
  });
});
