import { randomBytes } from 'node:crypto';

/** Where a piece of work stands in a trace (W3C Trace Context, version 00). It travels as header `traceparent` in HTTP, Kafka and event metadata. */
interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Fills `size` bytes; default is the system's source. Simulations bring a seeded one. */
type RandomBytes = (size: number) => Uint8Array;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function nonZero(size: number, random: RandomBytes): string {
  const id = hex(random(size));
  // All zero means "no id" in the standard.
  return /^0+$/.test(id) ? `${id.slice(0, -1)}1` : id;
}

/** A span under `parent`, or the first one of a new trace. */
export function startSpan(parent?: TraceContext, random: RandomBytes = randomBytes): TraceContext {
  return {
    traceId: parent?.traceId ?? nonZero(16, random),
    spanId: nonZero(8, random),
    sampled: parent?.sampled ?? true,
  };
}

export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.sampled ? '01' : '00'}`;
}

/** Undefined for anything that is not a valid header; a wrong header is no reason to refuse work. Newer versions are read as far as 00 goes. */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header ?? '');
  if (!match) return undefined;
  const [, version, traceId, spanId, flags, rest] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 };
}
