import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';
import { MessagingError } from '../errors.ts';
import { explain } from './explain.ts';

/** Of kafkajs; writes and reads Kafka's own types. */
interface Encoder {
  writeInt8(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeDouble(value: number): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeString(value: string | null): Encoder;
}

export interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readDouble(): number;
  readString(): string | null;
  /** None for a null array. */
  readArray<T>(item: (decoder: Decoder) => T): T[];
}

/** A request that kafkajs does not know, in a version whose header is the old one: not a "flexible" one. */
interface Call<T> {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  readonly write: (to: Encoder) => unknown;
  /** Throws {@link codeError} when the answer is one. */
  readonly read: (from: Decoder) => T;
}

interface Broker {
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>>;
  readonly connectionPool: { send(call: object): Promise<unknown> };
}

interface Cluster {
  connect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findControllerBroker(): Promise<Broker>;
  disconnect(): Promise<void>;
}

/**
 * Sends one request to the controller over a connection of its own, with addresses, TLS and credentials of `kafka`. kafkajs shows nobody its
 * connections, so this goes by what 2.2.4 calls them inside; where another version calls them otherwise, the answer is `unsupported`.
 */
export async function callController<T>(kafka: Kafka, call: Call<T>): Promise<T> {
  const { apiKey, apiName, apiVersion } = call;
  const { Encoder, Decoder, makeCluster } = insideOf(kafka, apiName);
  const cluster = makeCluster({ metadataMaxAge: 300_000, allowAutoTopicCreation: false });
  try {
    await cluster.connect();
    await cluster.refreshMetadata();
    const { versions, connectionPool } = await cluster.findControllerBroker();
    const served = versions[apiKey];
    if (served === undefined || served.minVersion > apiVersion || served.maxVersion < apiVersion)
      throw new MessagingError('unsupported', `${apiName}: this Kafka does not serve version ${apiVersion} of it`);
    const answer = await connectionPool.send({
      request: {
        apiKey,
        apiName,
        apiVersion,
        encode: () => {
          const encoder = new Encoder();
          call.write(encoder);
          return Promise.resolve(encoder);
        },
      },
      response: {
        decode: (bytes: Buffer) => Promise.resolve(bytes),
        parse: (bytes: Buffer) => Promise.resolve().then(() => call.read(new Decoder(bytes))),
      },
      logResponseError: false,
    });
    return answer as T;
  } catch (error) {
    if (error instanceof MessagingError) throw error;
    const { code, reason } = explain(error);
    throw new MessagingError(code, `${apiName}: ${reason}`, { cause: error });
  } finally {
    await cluster.disconnect().catch(() => undefined);
  }
}

/** What a code of the protocol says; undefined for success. */
export function codeError(code: number): Error | undefined {
  if (code === 0) return undefined;
  const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error.js') as {
    createErrorFromCode: (code: number) => Error;
  };
  return createErrorFromCode(code);
}

interface Inside {
  readonly Encoder: new () => Encoder;
  readonly Decoder: new (bytes: Buffer) => Decoder;
  readonly makeCluster: (options: object) => Cluster;
}

function insideOf(kafka: Kafka, apiName: string): Inside {
  const require = createRequire(import.meta.url);
  try {
    const door = Object.getOwnPropertySymbols(kafka).find(
      ({ description }) => description === 'private:Kafka:createCluster',
    );
    const makeCluster = door && (kafka as unknown as Record<symbol, unknown>)[door];
    if (typeof makeCluster !== 'function') throw new Error('kafkajs has no such door');
    return {
      Encoder: require('kafkajs/src/protocol/encoder.js') as Inside['Encoder'],
      Decoder: require('kafkajs/src/protocol/decoder.js') as Inside['Decoder'],
      makeCluster: makeCluster as Inside['makeCluster'],
    };
  } catch (error) {
    throw new MessagingError('unsupported', `${apiName}: the Kafka client in use cannot send it`, { cause: error });
  }
}
