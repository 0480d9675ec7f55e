/** A promise that was broken, and which. */
export class Violation extends Error {
  override readonly name = 'Violation';
  /** `O1` to `O13`. */
  readonly oracle: string;

  constructor(oracle: string, message: string) {
    super(`${oracle}: ${message}`);
    this.oracle = oracle;
  }
}
