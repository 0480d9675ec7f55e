import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { descendants, isRunning } from './descendants.ts';

export interface ListeningSocket {
  readonly pid: number;
  /** Name of the program. */
  readonly command: string;
  /** Of IPv4 in dotted form; of IPv6 as 32 hexadecimal digits. */
  readonly address: string;
  readonly port: number;
}

const LISTEN = '0A';

/** Every TCP socket on which a process, or what descends from it, takes connections, as Linux tells it; one of several processes is told once. */
export function listeningSockets(pid: number): ListeningSocket[] {
  const found = new Map<string, ListeningSocket>();
  for (const each of [pid, ...descendants(pid)].filter(isRunning)) {
    const inodes = socketInodesOf(each);
    for (const file of ['tcp', 'tcp6']) {
      for (const line of orElse(() => readFileSync(`/proc/${each}/net/${file}`, 'utf8'), '')
        .trim()
        .split('\n')
        .slice(1)) {
        const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
        if (state !== LISTEN || !inodes.has(inode) || found.has(inode)) continue;
        const [address = '', port = ''] = local.split(':');
        const command = orElse(() => readFileSync(`/proc/${each}/comm`, 'utf8'), '').trim();
        found.set(inode, { pid: each, command, address: readable(address), port: parseInt(port, 16) });
      }
    }
  }
  return [...found.values()];
}

/** What ended or was closed while we looked had none. */
function socketInodesOf(pid: number): ReadonlySet<string> {
  const folder = `/proc/${pid}/fd`;
  const targets = orElse(() => readdirSync(folder), []).map((each) =>
    orElse(() => readlinkSync(`${folder}/${each}`), ''),
  );
  const inodes = targets.map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1]);
  return new Set(inodes.filter((inode) => inode !== undefined));
}

function orElse<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** The kernel writes each 32-bit word in the byte order of the machine, and all that we run on have the low byte first. */
function readable(hex: string): string {
  if (hex.length !== 8) return hex;
  return [6, 4, 2, 0].map((at) => parseInt(hex.slice(at, at + 2), 16)).join('.');
}
