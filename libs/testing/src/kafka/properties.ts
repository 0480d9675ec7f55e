export interface BrokerSettings {
  readonly port: number;
  readonly controllerPort: number;
  readonly dataDir: string;
  readonly oauth?: {
    readonly port: number;
    readonly jwksUrl: string;
    readonly issuer: string;
    readonly audience: string;
    readonly superUsers: readonly string[];
  };
  /** Ports under which clients are told to come, where something stands in front of the listeners. */
  readonly advertise?: { readonly plain?: number | undefined; readonly oauth?: number | undefined };
}

/** `server.properties` of one broker that is its own controller. Topics are made by those who own them, never by a typing error. */
export function brokerProperties({ port, controllerPort, dataDir, oauth, advertise = {} }: BrokerSettings): string {
  const listeners = [`PLAINTEXT://127.0.0.1:${port}`];
  const advertised = [`PLAINTEXT://127.0.0.1:${advertise.plain ?? port}`];
  const protocols = ['PLAINTEXT:PLAINTEXT', 'CONTROLLER:PLAINTEXT'];
  if (oauth !== undefined) {
    listeners.push(`OAUTH://127.0.0.1:${oauth.port}`);
    advertised.push(`OAUTH://127.0.0.1:${advertise.oauth ?? oauth.port}`);
    protocols.push('OAUTH:SASL_PLAINTEXT');
  }
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
    'advertised.listeners': advertised.join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': protocols.join(','),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A broker that comes back after `kill -9` waits until its former self counts as dead: not the usual 9 s.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'auto.create.topics.enable': false,
    'log.dirs': dataDir,
  };
  if (oauth !== undefined) {
    const listener = 'listener.name.oauth';
    Object.assign(properties, {
      [`${listener}.sasl.enabled.mechanisms`]: 'OAUTHBEARER',
      [`${listener}.oauthbearer.sasl.jaas.config`]:
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;',
      [`${listener}.oauthbearer.sasl.server.callback.handler.class`]:
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler',
      [`${listener}.sasl.oauthbearer.jwks.endpoint.url`]: oauth.jwksUrl,
      [`${listener}.sasl.oauthbearer.expected.audience`]: oauth.audience,
      [`${listener}.sasl.oauthbearer.expected.issuer`]: oauth.issuer,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      // Who comes by the plain listener has no name: that is the control plane's side, and the broker's own.
      'super.users': ['ANONYMOUS', ...oauth.superUsers].map((user) => `User:${user}`).join(';'),
    });
  }
  return `${Object.entries(properties)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}
