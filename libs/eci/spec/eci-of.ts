import { EciClient } from '#libs/eci';

/** For specs: a cloud of which only these verbs are asked. How calls are cut and pages joined is the port's own. */
export function eciOf(verbs: object): EciClient {
  return Object.assign(Object.create(EciClient.prototype) as EciClient, verbs);
}
