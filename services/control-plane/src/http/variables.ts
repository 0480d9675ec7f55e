import { isLoopback } from '#libs/callers';
import { port, section, type Given, type Variables } from '#libs/configuration';
import { z } from 'zod';
import { checkCertificate } from '../config/certificate.ts';
import { adminTokenFault } from './admin-token.ts';

interface HttpSettings {
  readonly http: {
    readonly host: string;
    /** 0 = any free port. */
    readonly port: number;
    readonly adminToken?: string;
    /** A request must have come whole within this. */
    readonly requestMs: number;
    /** Connections at a time. */
    readonly connections: number;
    /** PEM files, read anew when they change. */
    readonly tls?: { readonly certFile: string; readonly keyFile: string };
  };
}

const variables = {
  HTTP_HOST: {
    meaning: 'address to listen on; any but a loopback address wants TLS and FLEET_ADMIN_TOKEN',
    default: '127.0.0.1',
  },
  HTTP_PORT: { meaning: 'port to listen on; 0 = any free one', default: '8080', unit: 'port', schema: port },
  HTTP_REQUEST_SECONDS: {
    meaning: 'a request that has not come whole within this is not waited for, 1–300',
    default: '30',
    unit: 'seconds',
    schema: z.coerce.number().int().min(1).max(300),
  },
  HTTP_CONNECTIONS: {
    meaning: 'connections to the API at a time, 16–60000; of one address half of them',
    default: '1000',
    unit: 'connections',
    schema: z.coerce.number().int().min(16).max(60_000),
  },
  FLEET_ADMIN_TOKEN: {
    secret: true,
    meaning: 'bearer token of operators, as random as `openssl rand -base64 32`; one that can be guessed is refused',
    otherwise: 'none: the API is open on loopback',
    schema: z.string().superRefine((token, context) => {
      const fault = adminTokenFault(token);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    }),
  },
  TLS_CERT_FILE: { meaning: 'certificate chain of the API, PEM', otherwise: 'none: plain HTTP', file: true },
  TLS_KEY_FILE: { meaning: 'private key of the certificate, PEM', file: true },
} as const satisfies Variables;

export const http = section({
  variables,
  rules: (given) => {
    checkCertificate(given, 'TLS_CERT_FILE', 'TLS_KEY_FILE');
    checkHost(given);
  },
  settings: (v): HttpSettings => ({
    http: {
      host: v.HTTP_HOST,
      port: v.HTTP_PORT,
      requestMs: v.HTTP_REQUEST_SECONDS * 1_000,
      connections: v.HTTP_CONNECTIONS,
      ...(v.FLEET_ADMIN_TOKEN !== undefined && { adminToken: v.FLEET_ADMIN_TOKEN }),
      ...(v.TLS_CERT_FILE && v.TLS_KEY_FILE && { tls: { certFile: v.TLS_CERT_FILE, keyFile: v.TLS_KEY_FILE } }),
    },
  }),
});

/** An address that is not loopback can be reached from other machines: it needs TLS and the admin token. */
function checkHost(given: Given): void {
  const host = given.of({ HTTP_HOST: variables.HTTP_HOST })?.HTTP_HOST;
  if (host === undefined || isLoopback(host)) return;
  if (['TLS_CERT_FILE', 'TLS_KEY_FILE', 'FLEET_ADMIN_TOKEN'].every((name) => given.has(name))) return;
  given.fault(
    'HTTP_HOST',
    `${host} is not a loopback address, so the API would be open to the network: set TLS_CERT_FILE, TLS_KEY_FILE and FLEET_ADMIN_TOKEN, or listen on 127.0.0.1`,
  );
}
