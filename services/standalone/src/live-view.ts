import { createLogUpdate } from 'log-update';
import { stripVTControlCharacters, styleText } from 'node:util';
import { kubectlCommand } from './kubectl-command.ts';
import { countsByLife, fetchOverview, lineOf, type Overview } from './overview.ts';

interface Screen {
  readonly apiUrl: string;
  readonly clusterId: string;
  readonly kubeconfig: string;
  readonly controlUrl: string;
  readonly rows: number;
  readonly columns: number;
}

const BAR = 30;

const COLOURS: Record<string, Parameters<typeof styleText>[0]> = {
  running: 'green',
  starting: 'cyan',
  creating: 'cyan',
  requested: 'cyan',
  placing: 'cyan',
  parked: 'yellow',
  deleting: 'magenta',
  failed: 'red',
  rejected: 'red',
  expired: 'red',
};

/** The whole screen as text: at most `rows − 1` lines of at most `columns` characters. */
export function screenOf(
  overview: Overview,
  { apiUrl, clusterId, kubeconfig, controlUrl, rows, columns }: Screen,
): string {
  const bold = (text: string): string => styleText('bold', text, { validateStream: false });
  const dim = (text: string): string => styleText('dim', text, { validateStream: false });
  const head = [
    bold('ECI Fleet'),
    '',
    `API       ${apiUrl}   docs ${apiUrl}/api/docs`,
    `Kubectl   ${kubectlCommand(kubeconfig)}`,
    `Cloud     simulated; break it by ${controlUrl}`,
    `Connect   npm start -- --kubeconfig <file> serves a real cluster instead of the demo`,
    `Clusters  ${overview.byCluster.map((c) => `${c.clusterId} (${sum(c.byLife)} groups)`).join(', ') || clusterId}`,
    '',
    bold(`Container groups: ${overview.total}`),
    ...bars(countsByLife(overview.byLife)),
    '',
    bold('Where they run'),
    ...bars(Object.entries(overview.byZone).sort(([a], [b]) => (a < b ? -1 : 1))),
    '',
    bold('Last events'),
  ];
  const foot = ['', dim('Ctrl-C stops all of it.')];
  const room = Math.max(0, rows - 1 - head.length - foot.length);
  return [...head, ...overview.lastEvents.slice(0, room).map(lineOf), ...foot]
    .slice(0, rows - 1)
    .map((line) => cut(line, columns))
    .join('\n');
}

/** Redraws the screen twice a second until stopped. */
export function startLiveView(fleet: Omit<Screen, 'rows' | 'columns'>, stream: NodeJS.WriteStream): () => void {
  const update = createLogUpdate(stream);
  let busy = false;
  const draw = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      update(
        screenOf(await fetchOverview(fleet.apiUrl), {
          ...fleet,
          rows: stream.rows ?? 40,
          columns: stream.columns ?? 100,
        }),
      );
    } catch (error) {
      update(`ECI Fleet does not answer: ${(error as Error).message}`);
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void draw(), 500);
  void draw();
  return () => {
    clearInterval(timer);
    update.done();
  };
}

function bars(counts: readonly (readonly [string, number])[]): string[] {
  const most = Math.max(1, ...counts.map(([, count]) => count));
  return counts.map(([name, count]) => {
    const bar = '█'.repeat(Math.max(1, Math.round((count / most) * BAR)));
    const colour = COLOURS[name];
    return `  ${name.padEnd(16)} ${String(count).padStart(5)}  ${colour ? styleText(colour, bar, { validateStream: false }) : bar}`;
  });
}

function sum(byLife: Readonly<Record<string, number>>): number {
  return Object.values(byLife).reduce((total, count) => total + count, 0);
}

/** Lines with colours are short by construction; a long plain line loses its end. */
function cut(line: string, columns: number): string {
  return stripVTControlCharacters(line).length <= columns
    ? line
    : `${stripVTControlCharacters(line).slice(0, columns - 1)}…`;
}
