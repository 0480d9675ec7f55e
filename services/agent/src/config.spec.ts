import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '#libs/configuration';
import { createCertificateAuthority } from '#libs/testing';
import { describe, expect, it } from 'vitest';
import { helpText, loadAgentConfig, VARIABLES } from './config.ts';

const minimal = {
  CONTROL_PLANE_URL: 'https://fleet.example.com/',
  ECI_REGION: 'cn-hangzhou',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
};

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadAgentConfig(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

describe('configuration', () => {
  it('needs little, and keeps the settings people know', () => {
    const config = loadAgentConfig({
      ...minimal,
      ECI_VSWITCH: 'vsw-a, vsw-b',
      ECI_KUBE_PROXY: 'false',
      ECI_QUOTA_CPU: '',
    });

    expect(config).toMatchObject({
      controlPlaneUrl: 'https://fleet.example.com',
      nodeName: 'virtual-kubelet',
      vSwitchIds: ['vsw-a', 'vsw-b'],
      enableClusterIp: false,
      quota: { cpu: '192000' },
      kubernetesQps: 500,
      namespace: 'eci-fleet',
      webhook: { port: 9443, service: 'eci-fleet-agent' },
    });
  });

  it.each(VARIABLES.map(({ name }) => name))('says of %s what was given, if it was wrong', (name) => {
    for (const value of ['n0t/ it', '99999999', '-1']) {
      const faults = faultsOf({ ...minimal, [name]: value }).filter((fault) => fault.startsWith(`${name}:`));
      const isFile = name.endsWith('_FILE') || name === 'KUBECONFIG';
      for (const fault of faults) expect(fault.includes(value), fault).toBe(!isFile);
    }
  });

  it('lists every fault at once, and repeats no secret', () => {
    const faults = faultsOf({
      CONTROL_PLANE_URL: 'ftp://x',
      JOIN_TOKEN: 'canary',
      JOIN_TOKEN_FILE: '/does/not/exist',
      HEALTH_PORT: '70000',
      ECI_KUBE_PROXY: 'perhaps',
      WEBHOOK_CERT_FILE: '/nowhere/tls.crt',
    });

    const names = faults.map((f) => f.slice(0, f.indexOf(':')));
    expect(names).toEqual(
      expect.arrayContaining([
        'CONTROL_PLANE_URL',
        'ECI_REGION',
        'HEALTH_PORT',
        'ECI_KUBE_PROXY',
        'JOIN_TOKEN_FILE',
        'KUBECONFIG',
        'WEBHOOK_CERT_FILE',
        'WEBHOOK_KEY_FILE, WEBHOOK_CA_FILE',
      ]),
    );
    expect(faults.join('\n')).not.toContain('canary');
    expect(faults).toContain('ECI_REGION: is required');
  });

  it('refuses a key of the webhook that is weak or belongs to another certificate, without repeating it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'eci-fleet-agent-config-'));
    const write = async (name: string, content: string): Promise<string> => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    };
    const authority = await createCertificateAuthority('webhook-ca');
    const { certificate, key } = await authority.issue({ commonName: 'webhook' });
    const files = {
      WEBHOOK_CERT_FILE: await write('tls.crt', certificate),
      WEBHOOK_CA_FILE: await write('ca.crt', authority.certificate),
    };
    const faultsWith = async (pem: string): Promise<readonly string[]> =>
      faultsOf({ ...minimal, ...files, WEBHOOK_KEY_FILE: await write('tls.key', pem) });
    try {
      expect(await faultsWith(key)).toEqual([]);
      const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({
        format: 'pem',
        type: 'pkcs8',
      });
      expect(await faultsWith(String(small))).toEqual([
        expect.stringMatching(/^WEBHOOK_KEY_FILE: is an RSA key of 1024/),
      ]);
      expect(await faultsWith(authority.key)).toEqual([
        expect.stringMatching(/^WEBHOOK_KEY_FILE: is not the key of the/),
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('explains every variable', () => {
    for (const { name } of VARIABLES) expect(helpText()).toContain(`  ${name} `);
  });
});
