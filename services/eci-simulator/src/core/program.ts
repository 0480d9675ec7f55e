/**
 * What a container does, read from its command line. No container really runs: the simulator understands a few programs, and everything
 * else either runs for ever (an unknown main program is taken for a server) or does nothing (an unknown command inside a script).
 */
interface Program {
  /** Simulated milliseconds until it ends; null = for ever. */
  readonly runMs: number | null;
  readonly exitCode: number;
}

const FOREVER: Program = { runMs: null, exitCode: 0 };
const DONE: Program = { runMs: 0, exitCode: 0 };
/** How long a one-line computation (`perl -e`, `python -c`) is taken to run. */
const COMPUTATION: Program = { runMs: 3_000, exitCode: 0 };

/** Images whose default command is a shell or a greeting: without a command they end at once. */
const ENDS_AT_ONCE = new Set(['alpine', 'bash', 'busybox', 'centos', 'debian', 'fedora', 'hello-world', 'ubuntu']);
const SERVERS = new Set(
  'nginx httpd caddy traefik haproxy envoy redis memcached postgres mysql mariadb mongo rabbitmq kafka zookeeper etcd pause tomcat jetty echoserver whoami prometheus grafana'.split(
    ' ',
  ),
);
const SHELL = /(^|\/)(sh|bash|ash|dash|zsh)$/;
const SCRIPTED = /(^|\/)(perl|python[0-9.]*|node|ruby|php)$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function programOf(
  image: string,
  command: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Program {
  const name = imageName(image);
  if (command.length === 0 && (args.length === 0 || SERVERS.has(name)))
    return args.length === 0 && ENDS_AT_ONCE.has(name) ? DONE : FOREVER;
  return main([...command, ...args], env);
}

/** How long a preStop command takes; null = longer than any grace period. */
export function durationOf(command: readonly string[]): number | null {
  return command.length === 0 ? 0 : simple(command, {}, DONE).runMs;
}

/** `nginx` of `registry.example:5000/library/nginx:1.27@sha256:...`. */
export function imageName(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1);
  return last.split('@')[0]!.split(':')[0]!;
}

function main(words: readonly string[], env: Readonly<Record<string, string>>): Program {
  return simple(
    words.map((word) => expand(word, env)),
    env,
    FOREVER,
  );
}

function simple(words: readonly string[], env: Readonly<Record<string, string>>, unknown: Program): Program {
  const [program = '', ...rest] = words;
  if (SHELL.test(program)) {
    const flag = rest.findIndex((word) => /^-[a-z]*c[a-z]*$/.test(word));
    return flag >= 0 && rest[flag + 1] !== undefined
      ? script(rest[flag + 1]!, env, rest[flag]!.includes('e'))
      : rest.length > 0
        ? unknown
        : DONE;
  }
  if (SCRIPTED.test(program) && rest.some((word) => /^-\w*[ce]$/.test(word))) return COMPUTATION;
  switch (program.slice(program.lastIndexOf('/') + 1)) {
    case 'sleep':
      return { runMs: sleepMs(rest), exitCode: 0 };
    case 'true':
    case ':':
    case 'echo':
    case 'printf':
    case 'date':
    case 'env':
    case 'ls':
    case 'cat':
      return DONE;
    case 'false':
      return { runMs: 0, exitCode: 1 };
    case 'exit':
      return { runMs: 0, exitCode: Number.parseInt(rest[0] ?? '0', 10) & 255 };
    case 'exec':
      return simple(rest, env, FOREVER);
    case 'tail':
      return rest.some((word) => /^-[a-zA-Z]*[fF]/.test(word)) ? FOREVER : DONE;
    case 'wait':
      return FOREVER;
    default:
      return unknown;
  }
}

function sleepMs(words: readonly string[]): number | null {
  let sum = 0;
  for (const word of words) {
    if (/^inf(inity)?$/.test(word)) return null;
    const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(word);
    if (match) sum += Number(match[1]) * UNIT_MS[match[2] || 's']!;
  }
  return sum;
}

/** Runs `a; b && c || d` from left to right; an endless loop runs for ever; other shell syntax does nothing. */
function script(text: string, env: Readonly<Record<string, string>>, errExit: boolean): Program {
  if (/\b(while\s+(true|:)|until\s+false|for\s*\(\(\s*;;)/.test(text)) return FOREVER;
  let runMs = 0;
  let exitCode = 0;
  const stopAtFailure = errExit || /(^|[;\n])\s*set\s+-[a-z]*e/.test(text);
  for (const { join, words } of steps(text)) {
    if ((join === '&&' && exitCode !== 0) || (join === '||' && exitCode === 0)) continue;
    const expanded = words.map((word) => expand(word, env));
    const step = simple(expanded, env, DONE);
    if (step.runMs === null) return FOREVER;
    runMs += step.runMs;
    exitCode = step.exitCode;
    if (expanded[0] === 'exit' || expanded[0] === 'exec' || (stopAtFailure && exitCode !== 0)) break;
  }
  return { runMs, exitCode };
}

function* steps(text: string): Generator<{ join: string; words: string[] }> {
  let join = ';';
  let words: string[] = [];
  for (const [token] of text.matchAll(/&&|\|\||[;\n]|(?:"[^"]*"|'[^']*'|\\.|[^\s;&|"'\\]|[&|](?![&|]))+/g)) {
    if (token === ';' || token === '\n' || token === '&&' || token === '||') {
      if (words.length > 0) yield { join, words };
      join = token;
      words = [];
    } else {
      words.push(
        token.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ''),
      );
    }
  }
  if (words.length > 0) yield { join, words };
}

function expand(word: string, env: Readonly<Record<string, string>>): string {
  return word.replace(
    /\$(?:\{(\w+)\}|\((\w+)\)|(\w+))/g,
    (whole, a?: string, b?: string, c?: string) => env[a ?? b ?? c ?? ''] ?? whole,
  );
}
