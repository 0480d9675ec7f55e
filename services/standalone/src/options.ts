import { helpLines } from '#libs/configuration';
import { notGiven, WrongUsage } from '#libs/runtime';
import { TABLE } from './variables.ts';

export interface Options {
  /** Keeps everything between runs; absent = a temporary folder, removed at the end. */
  readonly dataDir?: string;
  /** Serves this cluster instead of the demo. */
  readonly kubeconfig?: string;
  readonly plain: boolean;
  readonly port: number;
}

export const HELP = `ECI Fleet on one machine: control plane, PostgreSQL, the ECI simulator, an agent and a demo cluster, with nothing to install.

Usage: npm start -- [options]

  --data-dir <folder>   keep everything in this folder between runs (default: a temporary folder, removed at the end)
  --kubeconfig <file>   serve this cluster instead of the demo; the agent gets the rights of the kubeconfig's user
  --port <number>       port of the API on 127.0.0.1 (default: 8080; 0 = any free port)
  --plain               print lines instead of a live view (also when the output is no terminal)
  --help                this text

For --kubeconfig, these variables say where pods run, and how the API server reaches the steering webhook (by default only one on this machine can):

${helpLines(TABLE).join('\n')}

Ctrl-C stops all of it.
`;

/** What `npm start` takes, as `parseArgs` wants it. */
export const OPTIONS = {
  'data-dir': { type: 'string' },
  kubeconfig: { type: 'string' },
  port: { type: 'string' },
  plain: { type: 'boolean' },
} as const;

interface Given {
  readonly 'data-dir'?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly port?: string | undefined;
  readonly plain?: boolean | undefined;
}

/** Throws {@link WrongUsage} that names every fault. */
export function readOptions(values: Given, stdoutIsTerminal: boolean): Options {
  const faults: string[] = [];
  const port = values.port === undefined ? 8080 : Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    faults.push(`--port takes a number from 0 to 65535${notGiven(values.port ?? '')}`);
  if (values['data-dir'] === '') faults.push('--data-dir takes the name of a folder');
  if (values.kubeconfig === '') faults.push('--kubeconfig takes the name of a file');
  if (faults.length > 0) throw new WrongUsage(faults.join('; '));
  return {
    ...(values['data-dir'] === undefined ? {} : { dataDir: values['data-dir'] }),
    ...(values.kubeconfig === undefined ? {} : { kubeconfig: values.kubeconfig }),
    plain: values.plain === true || !stdoutIsTerminal,
    port,
  };
}
