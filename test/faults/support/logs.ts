import type { TestProcess } from '#libs/testing';

interface LogLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly level: string;
  readonly msg: string;
  readonly text: string;
}

/** What a process has said, line by line, over all of its starts; lines that are no JSON (a crash) have level `raw`. */
export function linesOf(process: TestProcess, { since = 0, until = Infinity } = {}): LogLine[] {
  let last = 0;
  return process
    .logText()
    .split('\n')
    .filter((text) => text !== '')
    .map((text): LogLine => {
      try {
        const line = JSON.parse(text) as { time: string; level: string; msg: string };
        last = Date.parse(line.time);
        return { at: last, level: line.level, msg: line.msg, text };
      } catch {
        return { at: last, level: 'raw', msg: text, text };
      }
    })
    .filter(({ at }) => at >= since && at < until);
}

/** Lines that complain (warn and above) within a span, by what they say. */
export function complaints(process: TestProcess, span: { since: number; until?: number }): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { level, msg } of linesOf(process, span))
    if (level !== 'info' && level !== 'debug') counts.set(msg, (counts.get(msg) ?? 0) + 1);
  return counts;
}

/** Lines that no process should ever write: what Node says when it is about to die, or nearly did. */
export function deathCries(process: TestProcess): LogLine[] {
  return linesOf(process).filter(
    ({ level, msg }) =>
      level === 'raw' && /UnhandledPromiseRejection|Uncaught|throw |FATAL|heap out of memory|^\s+at /.test(msg),
  );
}
