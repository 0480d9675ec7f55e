const PREFIX = 'no credential: ';

/** Reason of a call that was not made, because the account's reference to its key leads nowhere. */
export const noCredential = (why: string): string => `${PREFIX}${why}`;

/** Whether an answer's reason says that: a matter of the account, not of the moment. */
export const saysNoCredential = (reason: string): boolean => reason.startsWith(PREFIX);
