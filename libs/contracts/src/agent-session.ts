/** How an agent joins and holds its session: `POST /api/v1/agent/join`, `POST /api/v1/agent/session`. Docs: `docs/developers/agent-session.md`. */
import { z } from 'zod';
import { identifier } from './text.ts';

export const JoinRequest = z
  .strictObject({
    /** One-time token from registering the cluster. */
    token: identifier(512),
    /** Public half of the agent's key, a JWK (EC P-256). */
    publicKey: z.record(z.string(), z.unknown()),
    /** UID of namespace kube-system. */
    clusterFingerprint: identifier(128),
  })
  .meta({ id: 'JoinRequest' });
export type JoinRequest = z.infer<typeof JoinRequest>;

export const JoinResponse = z.object({ clusterId: z.string(), audience: z.string() }).meta({ id: 'JoinResponse' });
export type JoinResponse = z.infer<typeof JoinResponse>;

export const SessionRequest = z
  .strictObject({
    /** JWT signed with the agent's key (RFC 7523): iss = sub = cluster id, aud = audience, exp ≤ 5 min, jti. */
    assertion: identifier(8192),
    clusterFingerprint: identifier(128),
    /** Random for each start of an agent; the session belongs to it. */
    agentId: identifier(128),
    /** Present when a session is renewed: its epoch. Absent: a new session, which supersedes any other. */
    renewEpoch: z.number().int().min(1).optional(),
    agentVersion: identifier(128, 0),
    nodeName: identifier(253, 0),
  })
  .meta({ id: 'SessionRequest' });
export type SessionRequest = z.infer<typeof SessionRequest>;

export const SessionResponse = z
  .object({
    clusterId: z.string(),
    fleet: z.string(),
    agentEpoch: z.number().int().min(1),
    accessToken: z.string(),
    accessTokenExpiresAt: z.string(),
    renewAfterSeconds: z.number().int().min(1),
    /** Envelope keys (256 bits, base64url). The agent seals with the newest whose notBefore has passed, and with none after its notAfter. */
    envelopeKeys: z.array(z.object({ kid: z.string(), key: z.string(), notBefore: z.string(), notAfter: z.string() })),
    /**
     * Keys (256 bits, base64url) under one of which each message of the cluster's topic carries a MAC. Absent: the control plane is older, and proves
     * nothing of what it says.
     */
    statusKeys: z.array(z.object({ kid: z.string(), key: z.string() })).optional(),
    /** Every live status is on the topic with a MAC, and nobody speaks there without one: the agent believes nothing else. Default false. */
    statusesProven: z.boolean().optional(),
    kafka: z.object({
      brokers: z.array(z.string()),
      security: z.enum(['plaintext', 'oauthbearer']),
      tls: z.boolean(),
    }),
    /** Whoever reads intents can open pods that are sealed: send them so, as {@link ClearPart} of schema version 2. Absent: false. */
    sealsPods: z.boolean().optional(),
  })
  .meta({ id: 'SessionResponse' });
export type SessionResponse = z.infer<typeof SessionResponse>;

/** Problem `type` of a refused session; the agent stops publishing on `superseded` and `revoked`. */
export const SESSION_PROBLEMS = {
  superseded: 'urn:eci-fleet:problem:session-superseded',
  fingerprint: 'urn:eci-fleet:problem:cluster-fingerprint-mismatch',
  revoked: 'urn:eci-fleet:problem:cluster-revoked',
  unknownToken: 'urn:eci-fleet:problem:join-token-unknown',
  /** The agent's key was replaced or taken away; with a join token that it has not used it makes a new one and joins with that. */
  retiredKey: 'urn:eci-fleet:problem:agent-key-retired',
} as const;
