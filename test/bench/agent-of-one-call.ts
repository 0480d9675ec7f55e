import { randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { JoinResponse, SessionResponse } from '#libs/contracts';
import type { EnvelopeKey } from '#libs/messaging';
import { postJson, registerCluster } from './rig.ts';

/** What is needed to speak as the agent of a cluster. */
export interface Voice {
  readonly clusterId: string;
  readonly epoch: number;
  readonly key: EnvelopeKey;
}

/** Registers a cluster, joins and opens a session, as an agent does; without an agent. */
export async function speakAs(controlPlaneUrl: string, clusterId: string): Promise<Voice> {
  const clusterFingerprint = randomUUID();
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  const token = await registerCluster(controlPlaneUrl, clusterId);
  const { audience } = JoinResponse.parse(
    await postJson(`${controlPlaneUrl}/api/v1/agent/join`, { token, publicKey: { ...jwk, kid }, clusterFingerprint }),
  );
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid })
    .setIssuer(clusterId)
    .setSubject(clusterId)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime('2m')
    .setJti(randomUUID())
    .sign(privateKey);
  const session = SessionResponse.parse(
    await postJson(`${controlPlaneUrl}/api/v1/agent/session`, {
      assertion,
      clusterFingerprint,
      agentId: randomUUID(),
      agentVersion: 'bench',
      nodeName: 'virtual-kubelet',
    }),
  );
  const now = Date.now();
  const [newest] = session.envelopeKeys
    .filter((key) => Date.parse(key.notBefore) <= now)
    .sort((a, b) => Date.parse(b.notBefore) - Date.parse(a.notBefore));
  if (newest === undefined) throw new Error('the session has no envelope key that may be used now');
  return {
    clusterId,
    epoch: session.agentEpoch,
    key: { kid: newest.kid, key: Buffer.from(newest.key, 'base64url') },
  };
}
