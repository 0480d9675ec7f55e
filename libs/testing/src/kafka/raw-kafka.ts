import { Kafka, type KafkaConfig } from 'kafkajs';
import { quietIdleTimer } from '#libs/messaging';

/** kafkajs itself, for tests that look at a log from outside; its idle timers are quieted as in the product. */
export function rawKafka(config: KafkaConfig): Kafka {
  quietIdleTimer();
  return new Kafka(config);
}
