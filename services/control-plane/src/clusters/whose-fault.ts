import { isTrouble } from '#libs/event-store';
import { MessagingError } from '#libs/messaging';

/**
 * Whose fault it is that a cluster was not told something. `nobody`: the broker or the database is away, or will not, for all of them. `cluster`: something is
 * wrong with its topic; the others can be told. `message`: it is too large, whoever it is for. `unknown`: a mistake of ours, most likely.
 */
export type Fault = 'nobody' | 'cluster' | 'message' | 'unknown';

export function whoseFault(error: unknown): Fault {
  if (isTrouble(error)) return 'nobody';
  if (!(error instanceof MessagingError)) return 'unknown';
  switch (error.code) {
    case 'unavailable':
    case 'closed':
    case 'unsupported':
      return 'nobody';
    case 'no-topic':
    case 'refused':
      return 'cluster';
    case 'too-large':
      return 'message';
  }
}

export const isNobodysFault = (error: unknown): boolean => whoseFault(error) === 'nobody';
