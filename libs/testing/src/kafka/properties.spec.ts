import { describe, expect, it } from 'vitest';
import { brokerProperties } from './properties.ts';

const plain = { port: 1, controllerPort: 2, dataDir: '/data' };

describe('brokerProperties', () => {
  it('listens on loopback only', () => {
    const text = brokerProperties(plain);

    expect(text).toContain('listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n');
    expect(text).toContain('advertised.listeners=PLAINTEXT://127.0.0.1:1\n');
  });

  it('asks nobody for a token unless told to', () => {
    expect(brokerProperties(plain)).not.toMatch(/sasl|authorizer/);
  });

  it('adds a listener for tokens and an authorizer to which the plain side is super user', () => {
    const oauth = { port: 3, jwksUrl: 'file:///jwks.json', issuer: 'i', audience: 'a', superUsers: ['fleet'] };

    const text = brokerProperties({ ...plain, oauth });

    expect(text).toContain('OAUTH://127.0.0.1:3');
    expect(text).toContain('super.users=User:ANONYMOUS;User:fleet\n');
    expect(text).toContain('listener.name.oauth.sasl.oauthbearer.jwks.endpoint.url=file:///jwks.json\n');
  });
});
