import type { Environment, Variables } from '#libs/configuration';
import { TABLE as AGENT } from '../../agent/src/config.ts';

const { ECI_VSWITCH, ECI_SECURITY_GROUP, NODE_NAME, CLUSTER_DNS, WEBHOOK_URL, WEBHOOK_HOST, WEBHOOK_PORT } = AGENT;
const { KUBECONFIG_INSECURE, LOG_LEVEL } = AGENT;

/** What of the environment the agent is told, with the simulator's world and this machine for defaults. */
export const TABLE = {
  ECI_REGION: { meaning: 'region of the container groups', default: 'cn-hangzhou' },
  ECI_VSWITCH: { ...ECI_VSWITCH, default: 'vsw-demo-h,vsw-demo-i,vsw-demo-j,vsw-demo-k' },
  ECI_SECURITY_GROUP: { ...ECI_SECURITY_GROUP, default: 'sg-demo' },
  NODE_NAME,
  CLUSTER_DNS,
  WEBHOOK_URL: { ...WEBHOOK_URL, default: 'https://127.0.0.1:0' },
  WEBHOOK_HOST: { ...WEBHOOK_HOST, default: '127.0.0.1' },
  WEBHOOK_PORT: { ...WEBHOOK_PORT, default: '0' },
  KUBECONFIG_INSECURE,
  LOG_LEVEL,
} satisfies Variables;

/** The variables of {@link TABLE} as they are passed on. */
export function passedOn(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries<Variables[string]>(TABLE).map(([name, variable]) => [
      name,
      environment[name]?.trim() || variable.default,
    ]),
  );
}
