import { describe, expect, it } from 'vitest';
import { durationOf, imageName, programOf } from './program.ts';

const run = (
  command: string[],
  { image = 'busybox', args = [] as string[], env = {} } = {},
): [number | null, number] => {
  const { runMs, exitCode } = programOf(image, command, args, env);
  return [runMs, exitCode];
};

describe('what a command line does', () => {
  it.each<[string[], number | null, number]>([
    [['sleep', '5'], 5_000, 0],
    [['/bin/sleep', '1m'], 60_000, 0],
    [['sleep', 'infinity'], null, 0],
    [['true'], 0, 0],
    [['false'], 0, 1],
    [['sh', '-c', 'exit 3'], 0, 3],
    [['sh', '-c', 'sleep 5; exit 1'], 5_000, 1],
    [['/bin/bash', '-ec', 'echo a\nsleep 2\nfalse\nsleep 9'], 2_000, 1],
    [['sh', '-ec', 'set -e; false; sleep 9'], 0, 1],
    [['sh', '-c', 'false && sleep 5 || exit 7'], 0, 7],
    [['sh', '-c', 'true || sleep 5; echo "a; sleep 9"'], 0, 0],
    [['sh', '-c', 'while true; do date; sleep 1; done'], null, 0],
    [['sh', '-c', 'sleep $N && exit ${CODE}'], 4_000, 9],
    [['sh', '-c', 'exec nginx -g "daemon off;"'], null, 0],
    [['perl', '-Mbignum=bpi', '-wle', 'print bpi(2000)'], 3_000, 0],
    [['/app/server', '--port', '80'], null, 0],
  ])('%j', (command, runMs, exitCode) => {
    expect(run(command, { env: { N: '4', CODE: '9' } })).toEqual([runMs, exitCode]);
  });

  it('depends on the image where there is no command', () => {
    expect(run([], { image: 'nginx:1.27' })).toEqual([null, 0]);
    expect(run([], { image: 'docker.io/library/hello-world' })).toEqual([0, 0]);
    expect(run([], { image: 'example.com/team/app' })).toEqual([null, 0]);
    expect(run([], { image: 'busybox', args: ['sleep', '2'] })).toEqual([2_000, 0]);
    expect(run([], { image: 'redis', args: ['--save', ''] })).toEqual([null, 0]);
  });

  it('knows how long a preStop takes', () => {
    expect(durationOf([])).toBe(0);
    expect(durationOf(['sleep', '5'])).toBe(5_000);
    expect(durationOf(['/bin/sh', '-c', 'sleep infinity'])).toBe(null);
    expect(durationOf(['nginx', '-s', 'quit'])).toBe(0);
  });

  it('finds the name of an image', () => {
    expect(imageName('r.example:5000/a/nginx:1.27@sha256:00')).toBe('nginx');
  });
});
