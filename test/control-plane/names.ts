/** Names of the one fleet, cluster and account that these specs know, and of the simulator's demo world. */
export const FLEET = 'fleet-test';
export const CLUSTER = 'k1';
export const ACCOUNT = 'acc';
export const REGION = 'cn-hangzhou';
export const V_SWITCHES = ['vsw-demo-h', 'vsw-demo-i'];
