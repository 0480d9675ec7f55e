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
  /** Two listeners with TLS: for users with a password, and for clients with a certificate. PEM files: key and certificate in one; the authority of clients. */
  readonly secure?: {
    readonly scramPort: number;
    readonly mtlsPort: number;
    readonly keyStore: string;
    readonly trustStore: string;
    readonly superUsers: readonly string[];
  };
  /** Ports under which clients are told to come, where something stands in front of the listeners. */
  readonly advertise?: { readonly plain?: number | undefined; readonly oauth?: number | undefined };
}

/** `server.properties` of one broker that is its own controller. Topics are made by those who own them, never by a typing error. */
export function brokerProperties({
  port,
  controllerPort,
  dataDir,
  oauth,
  secure,
  advertise = {},
}: BrokerSettings): string {
  const listeners = [`PLAINTEXT://127.0.0.1:${port}`];
  const advertised = [`PLAINTEXT://127.0.0.1:${advertise.plain ?? port}`];
  const protocols = ['PLAINTEXT:PLAINTEXT', 'CONTROLLER:PLAINTEXT'];
  if (oauth !== undefined) {
    listeners.push(`OAUTH://127.0.0.1:${oauth.port}`);
    advertised.push(`OAUTH://127.0.0.1:${advertise.oauth ?? oauth.port}`);
    protocols.push('OAUTH:SASL_PLAINTEXT');
  }
  if (secure !== undefined) {
    const own = [`SCRAM://127.0.0.1:${secure.scramPort}`, `MTLS://127.0.0.1:${secure.mtlsPort}`];
    listeners.push(...own);
    advertised.push(...own);
    protocols.push('SCRAM:SASL_SSL', 'MTLS:SSL');
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
    });
  }
  if (secure !== undefined) {
    for (const listener of ['listener.name.scram', 'listener.name.mtls'])
      Object.assign(properties, {
        [`${listener}.ssl.keystore.type`]: 'PEM',
        [`${listener}.ssl.keystore.location`]: secure.keyStore,
        [`${listener}.ssl.truststore.type`]: 'PEM',
        [`${listener}.ssl.truststore.location`]: secure.trustStore,
      });
    const login = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
    Object.assign(properties, {
      'listener.name.mtls.ssl.client.auth': 'required',
      'listener.name.scram.sasl.enabled.mechanisms': 'SCRAM-SHA-512,SCRAM-SHA-256',
      'listener.name.scram.scram-sha-512.sasl.jaas.config': login,
      'listener.name.scram.scram-sha-256.sasl.jaas.config': login,
    });
  }
  if (oauth !== undefined || secure !== undefined) {
    const superUsers = ['ANONYMOUS', ...(oauth?.superUsers ?? []), ...(secure?.superUsers ?? [])];
    Object.assign(properties, {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      // Who comes by the plain listener has no name: that is the control plane's side, and the broker's own.
      'super.users': superUsers.map((user) => `User:${user}`).join(';'),
    });
  }
  return `${Object.entries(properties)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}
