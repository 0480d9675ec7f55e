import { port, section } from '#libs/configuration';

interface HealthSettings {
  readonly healthHost: string;
  /** 0 = any free port. */
  readonly healthPort: number;
}

export const health = section({
  variables: {
    HEALTH_HOST: { meaning: 'address of /healthz and /metrics', default: '127.0.0.1' },
    HEALTH_PORT: { meaning: 'port of /healthz and /metrics; 0 = any free one', default: '8081', schema: port },
  },
  settings: (v): HealthSettings => ({ healthHost: v.HEALTH_HOST, healthPort: v.HEALTH_PORT }),
});
