import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import { invalid, pointerOf, type FieldFault } from '../answers/refusal.ts';
import { memberNames, nearest } from './strict-schema.ts';

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  readonly code?: string;
  /** Of `unrecognized_keys`. */
  readonly keys?: readonly string[];
}

/** Checks what a route declared with `schema`, and answers every fault with its place: a JSON pointer in the body, or a parameter's name. */
export class RequestValidationPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({ exceptionFactory: (issues) => new Faults(issues as readonly Issue[]) });
  }

  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    try {
      // A POST without a body is an empty object: all its fields may be optional.
      return await super.transform((metadata.type === 'body' && value === undefined ? {} : value) as T, metadata);
    } catch (error) {
      if (!(error instanceof Faults)) throw error;
      throw invalid(error.issues.flatMap((issue) => faultsOf(issue, metadata)));
    }
  }

  /** Nothing is taken away before the schema has seen it: what it does not know, `__proto__` too, is refused by name. */
  protected override stripProtoKeys(): void {}
}

class Faults extends Error {
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    super('invalid');
    this.issues = issues;
  }
}

function faultsOf({ path = [], message, code, keys }: Issue, metadata: ArgumentMetadata): FieldFault[] {
  const segments = path.map((segment) => String(typeof segment === 'object' ? segment.key : segment));
  if (code === 'unrecognized_keys' && keys !== undefined)
    return keys.map((key) => faultAt([...segments, key], unknownMember(key, metadata), metadata));
  return [faultAt(segments, message, metadata)];
}

function unknownMember(key: string, { schema }: ArgumentMetadata): string {
  const meant = nearest(key.slice(0, 100), memberNames(schema));
  return meant === undefined ? 'is not known here' : `is not known here; did you mean ${meant}?`;
}

function faultAt(segments: readonly string[], detail: string, metadata: ArgumentMetadata): FieldFault {
  if (metadata.type === 'body') return { pointer: pointerOf(segments), detail };
  return { parameter: segments.join('.').slice(0, 100) || (metadata.data ?? metadata.type), detail };
}
