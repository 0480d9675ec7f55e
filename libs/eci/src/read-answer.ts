/** Nothing can be concluded from it. */
export type Unanswered =
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly class: 'THROTTLED' | 'AUTH' | 'INVALID_REQUEST' | 'NOT_FOUND' | 'QUOTA';
      readonly message: string;
    }
  /** `noCredential`: nothing was asked, because the account's reference to its key leads nowhere. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly noCredential?: boolean };

export type DescribeAnswer<T> = { readonly kind: 'done'; readonly value: T; readonly requestId: string } | Unanswered;

/** A page may hold less than it could, or nothing, without being the last (eci.md §2.3): that it has no `next` says so. */
export interface Page<T> {
  readonly groups: readonly T[];
  readonly next?: string;
}
