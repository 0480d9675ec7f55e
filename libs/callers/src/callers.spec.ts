import { describe, expect, it } from 'vitest';
import { basicPassword, bearerToken, isFromHere, isLoopback, Token } from './index.ts';

describe('a request', () => {
  it.each([
    ['127.0.0.1:8080', undefined],
    ['127.0.0.1', undefined],
    ['localhost:8080', undefined],
    ['[::1]:8080', undefined],
    ['localhost:8080', 'http://localhost:8080'],
    ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ])('to %s of the page %s is from here', (host, origin) => {
    expect(isFromHere({ host, ...(origin === undefined ? {} : { origin }) })).toBe(true);
  });

  it.each([
    [undefined, undefined],
    ['', undefined],
    ['rebind.evil.example', undefined],
    ['rebind.evil.example:8080', 'http://rebind.evil.example:8080'],
    ['127.0.0.1.evil.example:8080', undefined],
    ['localhost.evil.example', undefined],
    ['127.0.0.1@evil.example', undefined],
    ['10.1.2.3:8080', undefined],
    ['127.0.0.1:8080', 'http://evil.example'],
    ['127.0.0.1:8080', 'http://127.0.0.1:9090'],
    ['127.0.0.1:8080', 'http://localhost:8080'],
    ['127.0.0.1:8080', 'null'],
    ['127.0.0.1:8080', ''],
  ])('to %s of the page %s is not', (host, origin) => {
    const headers = { ...(host === undefined ? {} : { host }), ...(origin === undefined ? {} : { origin }) };
    expect(isFromHere(headers)).toBe(false);
  });
});

describe('an address', () => {
  it.each([
    ['0.0.0.0', false],
    ['10.1.2.3', false],
    ['::', false],
    ['fleet.example', false],
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['localhost', true],
    ['::ffff:127.0.0.1', true],
    ['[::ffff:7f00:1]', true],
    ['::ffff:10.1.2.3', false],
    ['127.0.0.1.evil.example', false],
    ['127.1', false],
  ])('%s is of this machine alone: %s', (host, alone) => {
    expect(isLoopback(host)).toBe(alone);
  });
});

describe('a token', () => {
  it('is new each time, fits a URL as it is, and equals itself alone', () => {
    const [one, other] = [Token.random(), Token.random()];
    expect(encodeURIComponent(one)).toBe(one);
    expect(new Token(one).equals(one)).toBe(true);
    for (const wrong of [other, '', one.slice(1), `${one} `]) expect(new Token(one).equals(wrong)).toBe(false);
  });

  it('is read from a header of either form', () => {
    expect(bearerToken({ authorization: 'Bearer abc' })).toBe('abc');
    expect(bearerToken({ authorization: 'Basic abc' })).toBeUndefined();
    expect(bearerToken({})).toBeUndefined();
    const basic = `Basic ${Buffer.from('control:a:b').toString('base64')}`;
    expect(basicPassword({ authorization: basic })).toBe('a:b');
    expect(basicPassword({ authorization: 'Bearer abc' })).toBeUndefined();
  });
});
