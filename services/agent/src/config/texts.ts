import { z } from 'zod';

/** Of an object of Kubernetes. */
export const nameOfObject = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be a DNS name in lower case');

/** `protocols` with their colon. */
export const webUrl = (protocols: readonly string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  });

export const ipAddress = z.union([z.ipv4(), z.ipv6()], 'must be an IP address');
