import type { Mechanism } from 'kafkajs';

const SOH = '\u0001';

/**
 * OAUTHBEARER (RFC 7628) that reads the broker's answer. A broker that refuses a token answers without an error code but with a JSON text, and
 * waits for the client to give up; kafkajs's own mechanism takes that for success, and only a later request fails, in words that say nothing
 * of a token.
 */
export function bearerToken(token: () => Promise<string>): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const message = Buffer.from(`n,,${SOH}auth=Bearer ${await token()}${SOH}${SOH}`);
        const answer = await saslAuthenticate<string>({
          request: { encode: () => withLength(message) },
          response: { decode: withoutLength, parse: (bytes) => bytes.toString() },
        });
        // The text may repeat parts of the token, so it is not passed on.
        if (answer) throw refusal();
      },
    }),
  };
}

/** In the shape of kafkajs's own error (its types lack the constructor); it does not retry what says that it is not retriable. */
function refusal(): Error {
  const error = new Error('the broker refused the token');
  return Object.assign(error, { name: 'KafkaJSSASLAuthenticationError', retriable: false });
}

/** Kafka's BYTES: a length in four bytes, then the bytes. */
function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function withoutLength(bytes: Buffer): Buffer {
  return bytes.subarray(4);
}
