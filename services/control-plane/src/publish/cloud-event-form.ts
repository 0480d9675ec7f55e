/** What all CloudEvents of the feed have in common: version 1.0, JSON in structured mode. */

/** Kafka binding, structured mode. */
export const CLOUD_EVENT_HEADERS = { 'content-type': 'application/cloudevents+json; charset=UTF-8' } as const;

/** `source` of everything that a fleet says. */
export const sourceOf = (fleet: string): string => `urn:eci-fleet:${fleet}`;
