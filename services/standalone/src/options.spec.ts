import { describe, expect, it } from 'vitest';
import { WrongUsage } from '#libs/runtime';
import { readOptions } from './options.ts';

describe('the command line', () => {
  it('has defaults for everything', () => {
    expect(readOptions({}, true)).toEqual({ plain: false, port: 8080 });
  });

  it('prints lines when the output is no terminal', () => {
    expect(readOptions({}, false)).toMatchObject({ plain: true });
  });

  it('takes every option', () => {
    expect(readOptions({ 'data-dir': 'd', kubeconfig: 'k', port: '0', plain: true }, true)).toEqual({
      dataDir: 'd',
      kubeconfig: 'k',
      port: 0,
      plain: true,
    });
  });

  it.each([
    [{ port: 'x' }, /--port takes a number/],
    [{ port: '70000' }, /0 to 65535/],
    [{ 'data-dir': '' }, /--data-dir/],
    [{ kubeconfig: '', port: 'x' }, /--port.*; --kubeconfig/],
  ])('says what is wrong with %j', (given, message) => {
    expect(() => readOptions(given, true)).toThrow(WrongUsage);
    expect(() => readOptions(given, true)).toThrow(message);
  });
});
