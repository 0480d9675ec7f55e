import { X509Certificate } from 'node:crypto';
import { flag, list, port, section, type Values, type Variables } from '#libs/configuration';
import { z } from 'zod';
import { checkKey } from '../config/certificate.ts';
import { nameOfObject, webUrl } from '../config/texts.ts';

export interface WebhookConfig {
  readonly host: string;
  readonly port: number;
  readonly url?: string | undefined;
  readonly service: string;
  /** PEM files, looked at every half minute; absent = self-made, kept in a Secret. */
  readonly given?: { readonly certFile: string; readonly keyFile: string; readonly caFile: string } | undefined;
  /** Whose certificate callers must show, by a PEM file that is looked at as often; absent = nobody's. */
  readonly clients?: { readonly caFile: string; readonly names: readonly string[] } | undefined;
}

interface SteeringSettings {
  /** Absent = pods are not steered by this agent. */
  readonly webhook?: WebhookConfig | undefined;
}

const variables = {
  WEBHOOK: { meaning: 'serve and register the steering webhook: true or false', default: 'true', schema: flag },
  WEBHOOK_HOST: { meaning: 'address the webhook listens on', default: '0.0.0.0' },
  WEBHOOK_PORT: { meaning: 'port the webhook listens on; 0 = any free one', default: '9443', schema: port },
  WEBHOOK_URL: {
    meaning:
      'https URL under which the API server reaches the webhook, without the path /mutate; its port 0 = the port listened on; empty: the Service below',
    schema: webUrl(['https:']),
  },
  WEBHOOK_SERVICE: {
    meaning: 'Service in AGENT_NAMESPACE that leads to the webhook, port 443',
    default: 'eci-fleet-agent',
    schema: nameOfObject,
  },
  WEBHOOK_CERT_FILE: { meaning: 'PEM certificate of the webhook; empty: self-made and renewed', file: true },
  WEBHOOK_KEY_FILE: { meaning: 'PEM key of that certificate', file: true },
  WEBHOOK_CA_FILE: { meaning: 'PEM CA of that certificate, for the webhook’s registration', file: true },
  WEBHOOK_CLIENT_CA_FILE: {
    meaning:
      'PEM file with the CA of the API server’s client certificate: callers of the webhook must show one of it; empty: none is asked for',
    file: authorityFault,
  },
  WEBHOOK_CLIENT_NAMES: {
    meaning: 'common names of that certificate, comma separated; empty: every one of that CA',
    schema: list(z.array(z.string().max(64, 'each has at most 64 characters'))),
  },
} as const satisfies Variables;

export const steering = section({
  variables,
  rules: (given) => {
    given.together('WEBHOOK_CERT_FILE', 'WEBHOOK_KEY_FILE', 'WEBHOOK_CA_FILE');
    checkKey(given, 'WEBHOOK_CERT_FILE', 'WEBHOOK_KEY_FILE');
    if (given.has('WEBHOOK_CLIENT_NAMES') && !given.has('WEBHOOK_CLIENT_CA_FILE'))
      given.fault('WEBHOOK_CLIENT_CA_FILE', 'is required where WEBHOOK_CLIENT_NAMES is given');
  },
  settings: (v): SteeringSettings => ({ webhook: v.WEBHOOK ? webhookOf(v) : undefined }),
});

function webhookOf(v: Values<typeof variables>): WebhookConfig {
  const [certFile, keyFile, caFile] = [v.WEBHOOK_CERT_FILE, v.WEBHOOK_KEY_FILE, v.WEBHOOK_CA_FILE];
  return {
    host: v.WEBHOOK_HOST,
    port: v.WEBHOOK_PORT,
    url: v.WEBHOOK_URL,
    service: v.WEBHOOK_SERVICE,
    clients: v.WEBHOOK_CLIENT_CA_FILE
      ? { caFile: v.WEBHOOK_CLIENT_CA_FILE, names: v.WEBHOOK_CLIENT_NAMES ?? [] }
      : undefined,
    given: certFile && keyFile && caFile ? { certFile, keyFile, caFile } : undefined,
  };
}

/** What keeps a text from being the certificate of an authority; undefined: nothing. */
function authorityFault(pem: string): string | undefined {
  try {
    if (new X509Certificate(pem).ca) return undefined;
  } catch {
    // As good as a certificate that may issue none.
  }
  return 'holds no certificate in PEM';
}
