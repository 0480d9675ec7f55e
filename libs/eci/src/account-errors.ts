type AccountFault =
  | 'unknown-account'
  /** Its settings make no sense, or operators do not allow them. */
  | 'set-up'
  /** It may not be used in the region that was asked for: a fault of the asker. */
  | 'region'
  /** Its reference to its key leads nowhere. */
  | 'credential';

/**
 * The account cannot be used as it is configured. The only error that says something of an account: whatever else is thrown on the way to the cloud is a
 * mistake or a moment's trouble of ours. The message is for operators: with `credential` it names the variable or the file, never what is in it.
 */
export class CloudAccountUnusable extends Error {
  override readonly name = 'CloudAccountUnusable';
  readonly code: AccountFault;

  constructor(code: AccountFault, message: string) {
    super(message);
    this.code = code;
  }

  /** What whoever sees a pod or an account may read: not which variables and files there are. */
  get said(): string {
    return this.code === 'credential' ? NO_CREDENTIAL : this.message;
  }
}

const NO_CREDENTIAL = "no credential: the account's cannot be used; the control plane's log and the doctor say why";

export const isCredentialMissing = (error: unknown): error is CloudAccountUnusable =>
  error instanceof CloudAccountUnusable && error.code === 'credential';
