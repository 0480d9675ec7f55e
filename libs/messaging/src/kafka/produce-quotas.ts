import type { Kafka } from 'kafkajs';
import type { ProduceQuotas, ProduceQuotasRead } from '../produce-quotas.ts';
import { callController, codeError, type Decoder } from './controller-call.ts';

const KEY = 'producer_byte_rate';
/** Components of a filter match one name, the default, or any name. */
const MATCH = { name: 0, default: 1, any: 2 } as const;

type Entity = readonly { readonly type: string | null; readonly name: string | null }[];

/**
 * Client quotas (KIP-546) of users, for all of their client ids. Quotas that go by a client id are not looked at: whoever writes may take any.
 * Reading takes DescribeConfigs of the cluster, setting AlterConfigs.
 */
export class KafkaProduceQuotas implements ProduceQuotas {
  private readonly kafka: Kafka;

  constructor(kafka: Kafka) {
    this.kafka = kafka;
  }

  async read(): Promise<ProduceQuotasRead> {
    const own = new Map<string, number>();
    for (const [entity, value] of await this.describe(MATCH.any)) {
      const name = entity[0]?.name;
      if (typeof name === 'string') own.set(name, value);
    }
    const others = (await this.describe(MATCH.default)).find(([entity]) => entity[0]?.name === null)?.[1];
    return { own, ...(others !== undefined && { others }) };
  }

  async of(principal: string): Promise<number | undefined> {
    return (await this.describe(MATCH.name, principal))[0]?.[1];
  }

  set(principal: string, bytesPerSecond: number | undefined): Promise<void> {
    return callController(this.kafka, {
      apiKey: 49,
      apiName: 'AlterClientQuotas',
      apiVersion: 0,
      write: (to) =>
        to
          .writeInt32(1)
          .writeInt32(1)
          .writeString('user')
          .writeString(principal)
          .writeInt32(1)
          .writeString(KEY)
          .writeDouble(bytesPerSecond ?? 0)
          .writeBoolean(bytesPerSecond === undefined)
          // Not only validated.
          .writeBoolean(false),
      read: (from) => {
        from.readInt32();
        from.readArray((entry) => {
          const error = codeError(entry.readInt16());
          if (error) throw error;
          entry.readString();
          return readEntity(entry);
        });
      },
    });
  }

  /** Produce quotas that go by the user alone. */
  private async describe(match: number, name: string | null = null): Promise<[Entity, number][]> {
    const entries = await callController(this.kafka, {
      apiKey: 48,
      apiName: 'DescribeClientQuotas',
      apiVersion: 0,
      write: (to) => to.writeInt32(1).writeString('user').writeInt8(match).writeString(name).writeBoolean(true),
      read: (from) => {
        from.readInt32();
        const error = codeError(from.readInt16());
        from.readString();
        if (error) throw error;
        return from.readArray((entry) => ({
          entity: readEntity(entry),
          values: entry.readArray((each) => ({ key: each.readString(), value: each.readDouble() })),
        }));
      },
    });
    return entries.flatMap(({ entity, values }) => {
      const found = values.find(({ key }) => key === KEY);
      return found ? [[entity, found.value] as [Entity, number]] : [];
    });
  }
}

function readEntity(from: Decoder): Entity {
  return from.readArray((part) => ({ type: part.readString(), name: part.readString() }));
}
