import { createHash } from 'node:crypto';

const MOST = 128;

/**
 * Name of the container group, for people: `<namespace>-<pod>`, 2 to 128 characters of `[a-z0-9-]`. It is no identity: names of different pods
 * may meet, and come back.
 */
export function groupName(namespace: string, podName: string): string {
  const plain = `${namespace}-${podName}`
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .replace(/^-+|-+$/g, '');
  if (plain.length >= 2 && plain.length <= MOST) return plain;
  const hash = createHash('sha256').update(`${namespace}/${podName}`).digest('hex').slice(0, 8);
  return `${plain.slice(0, MOST - 9).replace(/-+$/, '') || 'pod'}-${hash}`;
}
