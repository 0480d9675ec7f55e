/** A pod that cannot become a container group: which field, and what to do about it. Caught at the face of the mapping, never seen outside. */
export class Refusal extends Error {
  readonly field: string;
  readonly reason: string;

  constructor(field: string, reason: string) {
    super(`${field}: ${reason}`);
    this.name = 'Refusal';
    this.field = field;
    this.reason = reason;
  }
}

/** Reasons name fields, keys and objects, never a value that a user wrote: values may be secret. */
export const refuse = (field: string, reason: string): never => {
  throw new Refusal(field, reason);
};

/** Something of the pod that has no effect on ECI, said so that nobody has to guess. */
export interface Ignored {
  readonly field: string;
  readonly reason: string;
  /** It may well be missed: it is said as a warning, in a kubelet's word for it. */
  readonly warning?: string;
}

/** Own property of a record, so that a key such as `constructor` finds nothing by accident. */
export const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
