import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import { invalid, type FieldFault } from './problem.ts';

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
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
      throw invalid(error.issues.map((issue) => faultOf(issue, metadata)));
    }
  }
}

class Faults extends Error {
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    super('invalid');
    this.issues = issues;
  }
}

function faultOf({ path = [], message }: Issue, metadata: ArgumentMetadata): FieldFault {
  const segments = path.map((segment) => String(typeof segment === 'object' ? segment.key : segment));
  if (metadata.type === 'body') {
    return {
      pointer: segments.map((s) => `/${s.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
      detail: message,
    };
  }
  return { parameter: segments.join('.') || (metadata.data ?? metadata.type), detail: message };
}
