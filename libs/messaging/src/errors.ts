/** What callers switch on. `unavailable`: repeat later. `refused`: who we are, or what we may do. `no-topic`, `too-large`: the call itself. `unsupported`: this broker never will. */
export type MessagingErrorCode = 'unavailable' | 'refused' | 'no-topic' | 'too-large' | 'unsupported' | 'closed';

export class MessagingError extends Error {
  readonly code: MessagingErrorCode;

  constructor(code: MessagingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MessagingError';
    this.code = code;
  }
}

/** Largest message that may be published, bytes of key, value and headers: what fits a broker's default limit of 1 MiB with room for framing. */
export const MAX_MESSAGE_BYTES = 1_000_000;
