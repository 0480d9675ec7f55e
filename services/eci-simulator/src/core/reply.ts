import type { FaultRule } from './faults.ts';
import { WireError } from './wire-error.ts';

/** A request whose sender is known: signatures are checked before. */
export interface WireRequest {
  readonly account: string;
  readonly action: string;
  readonly version: string;
  readonly parameters: ReadonlyMap<string, string>;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
  /** Real milliseconds before the answer leaves. */
  readonly delayMs: number;
  readonly delivery: Delivery;
}

/** How the answer reaches the caller, if it does. */
type Delivery =
  | { readonly kind: 'answer' | 'silence' | 'reset' | 'cut' }
  | { readonly kind: 'slow'; readonly overMs: number }
  | { readonly kind: 'raw'; readonly status: number; readonly contentType: string; readonly text: string };

/** What a fault makes of an answer. */
export function spoil(answer: Reply, fault: FaultRule, requestId: string, request: WireRequest): Reply {
  const by = (delivery: Delivery): Reply => ({ ...answer, delivery });
  switch (fault.kind) {
    case 'lost-answer':
      return by({ kind: fault.lost ?? 'reset' });
    case 'silence':
      return by({ kind: 'silence' });
    case 'reset':
      return by({ kind: 'reset' });
    case 'html-503':
      return by({
        kind: 'raw',
        status: 503,
        contentType: 'text/html',
        text: '<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>',
      });
    case 'empty-500':
      return by({ kind: 'raw', status: 500, contentType: 'text/plain', text: '' });
    case 'garbage-200':
      return by({ kind: 'raw', status: 200, contentType: 'application/json;charset=utf-8', text: '{"RequestId": <<<' });
    case 'error': {
      const error = new WireError(
        fault.code ?? 'InternalError',
        fault.status ?? 500,
        fault.message ?? 'The request processing has failed due to some unknown error.',
      );
      return { ...answer, status: error.status, body: errorBody(error, requestId, request) };
    }
    case 'slow':
      return by({ kind: 'slow', overMs: fault.delayMs ?? 1_000 });
    case 'truncate-page':
      return (fault.page ?? 'cut') === 'cut' ? by({ kind: 'cut' }) : answer;
    case 'delay':
    case 'empty-list':
      return answer;
  }
}

/** The JSON of every refusal. */
export function errorBody(
  error: WireError,
  requestId: string,
  { action, parameters }: WireRequest,
): Record<string, unknown> {
  return {
    RequestId: requestId,
    HostId: `eci.${parameters.get('RegionId') ?? 'cn-hangzhou'}.aliyuncs.com`,
    Code: error.code,
    Message: error.message,
    Recommend: `https://api.aliyun.com/troubleshoot?q=${error.code}&product=Eci&requestId=${requestId}`,
    ...(error.code === 'Forbidden.RAM'
      ? { AccessDeniedDetail: { AuthAction: `eci:${action}`, PolicyType: 'AccountLevelIdentityBasedPolicy' } }
      : {}),
  };
}
