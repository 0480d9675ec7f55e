/**
 * The only errors that say something of an account. Whatever else is thrown on the way to the cloud is a mistake or a moment's trouble of ours,
 * and says nothing of it. No message holds a secret.
 */

/** The account cannot be used as it is configured: it is not there, or its settings make no sense. */
export class AccountUnusable extends Error {
  override readonly name = 'AccountUnusable';
}

/** The account may not be used in the region that was asked for: a fault of the asker, not of the account. */
export class RegionNotAllowed extends Error {
  override readonly name = 'RegionNotAllowed';
}

/**
 * The account's reference to its key leads nowhere. The message is for operators alone: it names the variable or the file, never what is in it,
 * and whoever calls the cloud answers without it.
 */
export class CredentialMissing extends Error {
  override readonly name = 'CredentialMissing';
}
