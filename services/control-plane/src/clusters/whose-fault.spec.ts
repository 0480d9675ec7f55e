import { TryLater } from '#libs/event-store';
import { MessagingError, type MessagingErrorCode } from '#libs/messaging';
import { describe, expect, it } from 'vitest';
import { whoseFault, type Fault } from './whose-fault.ts';

const CODES: Readonly<Record<MessagingErrorCode, Fault>> = {
  unavailable: 'nobody',
  closed: 'nobody',
  unsupported: 'nobody',
  'no-topic': 'cluster',
  refused: 'cluster',
  'too-large': 'message',
};
const withCode = (code: string): Error => Object.assign(new Error('said by the ground'), { code });

describe('that a cluster was not told something', () => {
  it.each(Object.entries(CODES))('is, when the log says %s, the fault of: %s', (code, fault) => {
    expect(whoseFault(new MessagingError(code as MessagingErrorCode, 'said by the log'))).toBe(fault);
  });

  it.each([withCode('ECONNREFUSED'), withCode('57P01'), withCode('25006'), new TryLater('later')])(
    'is the fault of nobody when the ground is away (%s)',
    (error) => expect(whoseFault(error)).toBe('nobody'),
  );

  it.each([new TypeError('x is not a function'), withCode('23505'), 'a text', undefined, null])(
    'says nothing of whose fault it is when it is no such error (%s)',
    (error) => expect(whoseFault(error)).toBe('unknown'),
  );
});
