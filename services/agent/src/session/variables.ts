import { flag, section, type Variables } from '#libs/configuration';
import { caFault, insecureTransports, type InsecureTransport, type RuledLink } from '#libs/transport';
import { nameOfObject, webUrl } from '../config/texts.ts';

interface SessionSettings {
  readonly controlPlaneUrl: string;
  /** Path of a PEM file, read at each connection. */
  readonly controlPlaneCaFile?: string | undefined;
  readonly joinToken?: string | undefined;
  readonly namespace: string;
  /** What leaves this machine without being encrypted and authenticated, as allowed; of Kafka only the session tells. */
  readonly insecureTransports: readonly InsecureTransport[];
}

export const session = section({
  variables: {
    CONTROL_PLANE_URL: {
      meaning: 'URL of the control plane; https, or http on this machine. Required',
      required: 'is required',
      schema: webUrl(['http:', 'https:']).transform((text) => text.replace(/\/+$/, '')),
    },
    CONTROL_PLANE_CA_FILE: {
      meaning: 'PEM file with the CA of the control plane; empty: the system’s',
      file: caFault,
    },
    CONTROL_PLANE_INSECURE: {
      meaning: 'the control plane on another machine may be called in clear: true or false',
      default: 'false',
      schema: flag,
    },
    JOIN_TOKEN: {
      secret: true,
      meaning: 'one-time token from registering the cluster; needed until the agent has joined',
      orFile: 'file with that token, instead of JOIN_TOKEN',
    },
    AGENT_NAMESPACE: {
      meaning: 'namespace of the agent: its Secrets live there',
      default: 'eci-fleet',
      schema: nameOfObject,
    },
  } as const satisfies Variables,
  settings: (v, given): SessionSettings => ({
    controlPlaneUrl: v.CONTROL_PLANE_URL,
    controlPlaneCaFile: v.CONTROL_PLANE_CA_FILE,
    joinToken: v.JOIN_TOKEN,
    namespace: v.AGENT_NAMESPACE,
    insecureTransports: insecureTransports([controlPlaneLink(v.CONTROL_PLANE_URL)], given.environment, given.faults),
  }),
});

function controlPlaneLink(url: string): RuledLink {
  const { protocol, hostname } = new URL(url);
  return {
    setting: 'CONTROL_PLANE_URL',
    exception: 'CONTROL_PLANE_INSECURE',
    remedy: 'use https, with CONTROL_PLANE_CA_FILE where its CA is your own',
    hosts: [hostname],
    encrypted: protocol === 'https:',
    serverVerified: protocol === 'https:',
    // Every call is signed, or holds the join token.
    clientProven: true,
  };
}
