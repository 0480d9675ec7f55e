import type { ContainerGroupSpec } from '#libs/contracts';
import type { PodSpec } from './fields/pod-fields.ts';
import { LIMITS } from './limits.ts';
import { refuse } from './refusal.ts';

const SAFE: ReadonlySet<string> = new Set(['net.ipv4.ping_group_range', 'net.ipv4.ip_unprivileged_port_start']);

/** ECI docs, CreateContainerGroup, HostSecurityContext: which kernel parameters may be set although they are unsafe. */
const isUnsafeAllowed = (name: string): boolean =>
  (name.startsWith('kernel.shm') && name !== 'kernel.shm_rmid_forced') ||
  name.startsWith('kernel.msg') ||
  name === 'kernel.sem' ||
  name.startsWith('fs.mqueue.') ||
  (name.startsWith('net.') && name !== 'net.ipv4.tcp_syncookies');

export function sysctlsOf(spec: PodSpec): ContainerGroupSpec['sysctls'] {
  const sysctls = spec.securityContext?.sysctls ?? [];
  if (sysctls.length > LIMITS.sysctls)
    refuse('spec.securityContext.sysctls', `has more than the ${LIMITS.sysctls} that ECI takes`);
  return sysctls.map(({ name, value }, index) => {
    // Kubernetes allows slashes as separators.
    const dotted = name.replaceAll('/', '.');
    const safe = SAFE.has(dotted);
    if (!safe && !isUnsafeAllowed(dotted))
      refuse(`spec.securityContext.sysctls[${index}].name`, 'cannot be set on ECI; remove it');
    return { name: dotted, value, safe };
  });
}
