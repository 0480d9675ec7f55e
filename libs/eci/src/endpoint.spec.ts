import { parse } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpointOf, isCloudEndpoint, parseEndpoint } from './index.ts';

describe('endpoint', () => {
  it.each([
    [undefined, { host: 'eci.cn-hangzhou.aliyuncs.com', protocol: 'https' }],
    ['http://127.0.0.1:18080', { host: '127.0.0.1:18080', protocol: 'http' }],
    ['http://[::1]:18080', { host: '[::1]:18080', protocol: 'http' }],
    ['https://eci.example/', { host: 'eci.example', protocol: 'https' }],
    ['eci.example:8443', { host: 'eci.example:8443', protocol: 'https' }],
    ['HTTPS://ECI.Example:443', { host: 'eci.example', protocol: 'https' }],
  ])('%s', (override, expected) => {
    expect(endpointOf('cn-hangzhou', override)).toEqual(expected);
  });

  it.each([
    'ftp://x',
    'http://x/path',
    'http://user:pw@x',
    'http://x?y',
    'http://x#y',
    'http://',
    'http:\\\\x',
    'https://eci.aliyuncs.com\\@evil.example',
    'https://eci.aliyuncs.com@evil.example',
    'https://eci.aliyuncs.com.',
    'https://eci.aliyuncs。com',
    'https://еci.aliyuncs.com',
    'https://eci.aliyuncs.com\u0000.evil.example',
    'https://eci.aliyuncs.com\t',
    'https://%65ci.aliyuncs.com',
    'https://x:99999',
    'javascript:alert(1)',
    '//evil.example',
  ])('refuses %j', (override) => {
    expect(parseEndpoint(override)).toBeUndefined();
    expect(() => endpointOf('cn-hangzhou', override)).toThrow(/want http:\/\/host:port/);
  });
});

const isCloud = (text: string, regions?: readonly string[]): boolean => {
  const endpoint = parseEndpoint(text);
  return endpoint !== undefined && isCloudEndpoint(endpoint, regions);
};

describe("the cloud's own endpoint", () => {
  it.each([
    'eci.aliyuncs.com',
    'https://eci.aliyuncs.com:443/',
    'https://eci.cn-hangzhou.aliyuncs.com',
    'ECI.CN-HANGZHOU.ALIYUNCS.COM',
    'https://eci-vpc.cn-hangzhou.aliyuncs.com',
    'https://eci.ap-southeast-1.aliyuncs.com',
    'https://eci.cn-shanghai-finance-1.aliyuncs.com',
  ])('is %s', (text) => expect(isCloud(text)).toBe(true));

  it('is that of a newer region where the account names the region', () => {
    expect(isCloud('https://eci.cn-newtown.aliyuncs.com')).toBe(false);
    expect(isCloud('https://eci.cn-newtown.aliyuncs.com', ['cn-newtown'])).toBe(true);
    expect(isCloud('https://eci.cn-newtown.aliyuncs.com', ['cn-oldtown'])).toBe(false);
  });

  // Each of them reaches a host that whoever names it may hold.
  it.each([
    'http://eci.cn-hangzhou.aliyuncs.com',
    'https://eci.cn-hangzhou.aliyuncs.com:8443',
    'https://aliyuncs.com',
    'https://eci.aliyuncs.com.evil.example',
    'https://eci.cn-hangzhou.aliyuncs.com.evil',
    'https://evil-eci.cn-hangzhou.aliyuncs.com',
    'https://evil.eci.cn-hangzhou.aliyuncs.com',
    'https://eci.cn-hangzhou.evilaliyuncs.com',
    'https://eci.cn-hangzhou.aliyuncs.co',
    'https://eci.cn-hangzhou.xn--aliyuncs-9za.com',
    'https://eci.oss-cn-hangzhou.aliyuncs.com',
    'https://eci.oss-accelerate.aliyuncs.com',
    'https://my-bucket.oss-cn-hangzhou.aliyuncs.com',
    'https://1234.cn-hangzhou.fc.aliyuncs.com',
    'https://eci.cn-hangzhou.fc.aliyuncs.com',
    'https://ecs.cn-hangzhou.aliyuncs.com',
    'https://sts.cn-hangzhou.aliyuncs.com',
    'https://eci..aliyuncs.com',
    'https://100.100.100.200',
    'https://127.0.0.1',
    'https://2130706433',
    'https://0x7f.1',
    'https://[::1]',
    'https://localhost',
  ])('is not %s', (text) => expect(isCloud(text)).toBe(false));
});

describe('an endpoint that is taken', () => {
  // The SDK's HTTP client reads addresses by older rules than those that we judge by.
  const pieces = [
    'eci',
    '.',
    '-vpc',
    'cn-hangzhou',
    'aliyuncs',
    '.com',
    '@',
    ':',
    '443',
    '/',
    '\\',
    '#',
    '?',
    '%2e',
    '。',
    'ⅰ',
    '[::1]',
    '0x7f',
    ' ',
    '\t',
    ';',
    'evil',
    'https://',
  ];
  const odd = fc.array(fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...pieces) }, fc.string({ maxLength: 3 })), {
    maxLength: 12,
  });

  it('leads to one host by every reading', () => {
    let taken = 0;
    fc.assert(
      fc.property(odd, (parts) => {
        const endpoint = parseEndpoint(parts.join(''));
        if (!endpoint) return;
        taken++;
        const sent = `${endpoint.protocol}://${endpoint.host}/?Action=X`;
        expect(parse(sent).host).toBe(endpoint.host);
        expect(new URL(sent).host).toBe(endpoint.host);
        expect(parse(sent).auth).toBeNull();
      }),
      { numRuns: 5_000, seed: 9 },
    );
    expect(taken).toBeGreaterThan(20);
  });
});
