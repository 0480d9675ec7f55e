/** A real part cannot be had. The message is one sentence for a person: what is missing, and what to install or which variable to set. */
export class RigUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RigUnavailable';
  }
}
