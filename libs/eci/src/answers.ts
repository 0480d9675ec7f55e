import type { CreateAnswer, DeleteAnswer } from './eci.ts';
import type { Failure } from './failure.ts';
import type { DescribeAnswer } from './read-answer.ts';

const keyless = ({ noCredential }: Failure): { readonly noCredential?: true } => (noCredential ? { noCredential } : {});
const shown = (failure: Failure): string => `${failure.code ? `${failure.code}: ` : ''}${failure.message}`;

/**
 * What a failed create came to. Refused only when the cloud itself said so and nothing can have been made; throttled, or never sent, is to be
 * sent again; all else is unknown, because a group may exist. IdempotentParameterMismatch is unknown although it is a 400: it says that an
 * earlier call with this token was taken.
 */
export function createOutcome(failure: Failure): CreateAnswer {
  const { code } = failure;
  if (failure.neverSent) return { kind: 'retry', reason: shown(failure), ...keyless(failure) };
  switch (failure.class) {
    case 'THROTTLED':
      return { kind: 'retry', reason: shown(failure), throttled: true };
    case 'TRANSIENT':
    case 'CONFLICT':
      return { kind: 'unknown', reason: shown(failure) };
    case 'STOCK_OUT':
    case 'VSWITCH_IP_EXHAUSTED':
    case 'QUOTA':
    case 'AUTH':
    case 'NOT_FOUND':
    case 'INVALID_REQUEST':
      if (code === undefined || code === 'IdempotentParameterMismatch') {
        return { kind: 'unknown', reason: shown(failure) };
      }
      return {
        kind: 'refused',
        code,
        class: failure.class,
        message: failure.message,
        ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
      };
  }
}

export function deleteAnswer(failure: Failure): DeleteAnswer {
  const code = failure.code ?? '';
  switch (failure.class) {
    case 'NOT_FOUND':
      return { kind: 'not-found' };
    case 'CONFLICT':
      return { kind: 'conflict', code };
    case 'THROTTLED':
      return { kind: 'throttled' };
    case 'TRANSIENT':
      return { kind: 'unknown', reason: shown(failure) };
    case 'STOCK_OUT':
    case 'VSWITCH_IP_EXHAUSTED':
    case 'QUOTA':
    case 'AUTH':
    case 'INVALID_REQUEST':
      return { kind: 'refused', code, message: failure.message };
  }
}

export function describeAnswer(failure: Failure): Exclude<DescribeAnswer<never>, { readonly kind: 'done' }> {
  switch (failure.class) {
    case 'THROTTLED':
    case 'AUTH':
    case 'INVALID_REQUEST':
    case 'NOT_FOUND':
    case 'QUOTA':
      return { kind: 'refused', code: failure.code ?? '', class: failure.class, message: failure.message };
    case 'STOCK_OUT':
    case 'VSWITCH_IP_EXHAUSTED':
    case 'CONFLICT':
    case 'TRANSIENT':
      return { kind: 'unknown', reason: shown(failure), ...keyless(failure) };
  }
}
