import { Given } from '#libs/configuration';
import { describe, expect, it } from 'vitest';
import { accounts } from './accounts-config.ts';

const read = (raw: Record<string, unknown>, files: Record<string, string> = {}) => {
  const texts = Object.fromEntries(
    Object.entries(raw).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
  const readFile = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('not there'), { code: 'ENOENT' });
    return text;
  };
  const given = new Given(texts, readFile);
  const config = accounts.read(given)?.accounts;
  return { ...config, named: Object.fromEntries(config?.credentials.named ?? []), faults: given.faults };
};

const FROM_KEYS = {
  kind: 'environment',
  accessKeyIdVariable: 'ECI_ACCESS_KEY',
  accessKeySecretVariable: 'ECI_SECRET_KEY',
};
const ARN = 'acs:ram::1234567890:role/fleet';
const FILE = { kind: 'file', path: '/run/key.json' };

describe('accounts of the configuration', () => {
  it('are none without a word of them', () => {
    expect(read({})).toMatchObject({ accounts: [], named: {}, endpoints: [], faults: [] });
  });

  it('are one, with a credential of its name, where the known variables are set', () => {
    const { accounts, named, faults } = read({ ECI_ACCESS_KEY: 'k', ECI_SECRET_KEY: 's' });
    expect(accounts).toEqual([{ id: 'default', name: 'default', credential: 'default', regions: [] }]);
    expect({ named, faults }).toEqual({ named: { default: FROM_KEYS }, faults: [] });
    expect(read({ ECI_ACCESS_KEY: 'k' }).faults).toEqual([expect.stringContaining('ECI_SECRET_KEY: is missing')]);
  });

  it('name credentials, of a list or of a file with it, or say on the spot where their key is', () => {
    const accounts = [
      { id: 'a', credential: 'payments', regions: [] },
      { id: 'b', credential: FILE, regions: [] },
    ];
    const credentials = { payments: { kind: 'folder', path: '/run/payments' } };
    for (const [raw, files] of [
      [{ FLEET_CREDENTIALS: credentials }, {}],
      [{ FLEET_CREDENTIALS_FILE: '/c' }, { '/c': JSON.stringify(credentials) }],
    ] as const) {
      expect(read({ FLEET_ACCOUNTS: accounts, ...raw }, files)).toMatchObject({
        accounts: [{ credential: 'payments' }, { credential: 'b' }],
        named: { ...credentials, b: FILE },
        faults: [],
      });
    }
  });

  it('name what is listed, or what may come into the folder', () => {
    const accounts = [{ id: 'a', credential: 'payments', regions: [] }];
    expect(read({ FLEET_ACCOUNTS: accounts }).faults).toEqual([
      expect.stringContaining('names the credential payments'),
    ]);
    expect(read({ FLEET_ACCOUNTS: accounts, FLEET_CREDENTIALS_DIR: '/run/c' })).toMatchObject({
      credentials: { folder: '/run/c' },
      faults: [],
    });
  });

  it.each([
    ['a name that is a path', { FLEET_CREDENTIALS: { '../key': FILE } }, /FLEET_CREDENTIALS: \$\.\.\.\/key: name a/],
    ['no object', { FLEET_CREDENTIALS: '[]' }, /FLEET_CREDENTIALS: \$: /],
    ['no JSON', { FLEET_CREDENTIALS: 'canary' }, /FLEET_CREDENTIALS: \$: /],
    ['an unknown kind', { FLEET_CREDENTIALS: { a: { kind: 'vault' } } }, /FLEET_CREDENTIALS: \$\.a\.kind: /],
    ['a key', { FLEET_CREDENTIALS: { a: { ...FILE, accessKeySecret: 'canary' } } }, /FLEET_CREDENTIALS: \$\.a: /],
    [
      'a relative path',
      { FLEET_CREDENTIALS: { a: { kind: 'file', path: 'k' } } },
      /\$\.a\.path: must be an absolute path/,
    ],
    [
      'a variable of the control plane',
      { FLEET_CREDENTIALS: { a: { ...FROM_KEYS, accessKeyIdVariable: 'FLEET_MASTER_KEY' } } },
      /\$\.a\.accessKeyIdVariable: is a variable of the control plane itself/,
    ],
    [
      'a key in an account',
      { FLEET_ACCOUNTS: [{ id: 'a', regions: [], credential: { ...FROM_KEYS, accessKeyIdVariable: 'LTAI canary' } }] },
      /FLEET_ACCOUNTS: \$\.0\.credential\.accessKeyIdVariable: /,
    ],
    [
      'two meanings of a name',
      { FLEET_CREDENTIALS: { a: FILE }, FLEET_ACCOUNTS: [{ id: 'a', regions: [], credential: FILE }] },
      /account a says where its key is, and FLEET_CREDENTIALS has a credential of that name/,
    ],
    [
      'two accounts of a name',
      { FLEET_CREDENTIALS: { x: FILE }, FLEET_ACCOUNTS: [1, 2].map(() => ({ id: 'a', regions: [], credential: 'x' })) },
      /two accounts have the id a/,
    ],
    [
      'a role without a key to assume it',
      { FLEET_CREDENTIALS: { r: { kind: 'role', roleArn: ARN, credential: 'nobody' } } },
      /\$\.r\.credential: nobody is not configured/,
    ],
    [
      'a role of itself',
      { FLEET_CREDENTIALS: { r: { kind: 'role', roleArn: ARN, credential: 'r' } } },
      /\$\.r\.credential: r is a role itself/,
    ],
    [
      'no role',
      { FLEET_CREDENTIALS: { r: { kind: 'role', roleArn: 'admin', credential: 'r' } } },
      /\$\.r\.roleArn: must/,
    ],
    [
      'a role to ask for in clear',
      { FLEET_CREDENTIALS: { b: FILE, r: { kind: 'role', roleArn: ARN, credential: 'b', endpoint: 'http://sts' } } },
      /\$\.r\.endpoint: sts is another machine, .* in clear/,
    ],
    ['a relative folder', { FLEET_CREDENTIALS_DIR: 'keys' }, /FLEET_CREDENTIALS_DIR: must be an absolute path/],
    [
      'an endpoint with a path',
      { FLEET_ACCOUNT_ENDPOINTS: 'https://a,https://b/x' },
      /FLEET_ACCOUNT_ENDPOINTS: an endp/,
    ],
    ['an endpoint with a password', { ECI_ENDPOINT: 'https://u:canary@b' }, /ECI_ENDPOINT: an endpoint must be/],
    [
      'an endpoint in clear',
      { ECI_ENDPOINT: 'http://10.0.0.7:80' },
      /ECI_ENDPOINT: 10\.0\.0\.7 is another machine, .* in clear: .* use http/,
    ],
    [
      'a listed endpoint in clear',
      { FLEET_ACCOUNT_ENDPOINTS: 'https://a, http://b' },
      /FLEET_ACCOUNT_ENDPOINTS: b is another machine, .* in clear/,
    ],
    [
      "an account's endpoint in clear",
      {
        FLEET_CREDENTIALS: { x: FILE },
        FLEET_ACCOUNTS: [{ id: 'a', regions: [], credential: 'x', endpoint: 'http://c' }],
      },
      /FLEET_ACCOUNTS: account a: c is another machine, .* in clear/,
    ],
  ])('are refused with %s, by its place and without what may be a secret', (_, raw, fault) => {
    const { faults } = read(raw);
    expect(faults).toEqual([expect.stringMatching(fault)]);
    expect(faults.join()).not.toContain('canary');
  });

  it('may send keys in clear on this machine, and elsewhere only when operators say so', () => {
    const local = {
      ECI_ENDPOINT: 'http://127.0.0.1:18080',
      FLEET_ACCOUNT_ENDPOINTS: 'http://localhost:1,https://proxy',
    };
    expect(read(local)).toMatchObject({
      endpoint: local.ECI_ENDPOINT,
      endpoints: ['http://localhost:1', 'https://proxy'],
      faults: [],
    });
    const remote = { ECI_ENDPOINT: 'http://simulator:18080' };
    expect(read(remote).faults).toHaveLength(1);
    expect(read({ ...remote, ECI_ENDPOINT_INSECURE: 'true' }).faults).toEqual([]);
    expect(read({ ...remote, ECI_ENDPOINT_INSECURE: 'yes' }).faults).toHaveLength(1);
  });
});
