import type { Given } from '#libs/configuration';
import { pemKeyFault } from '#libs/keys';

const NEW_TLS_KEY = 'make one with `openssl ecparam -name prime256v1 -genkey -noout` and a certificate for it';

/** A certificate of ours and its key, by the variables that name their files: given together, and the one the other's. The faults are those of now. */
export function checkCertificate(given: Given, certName: string, keyName: string): void {
  given.together(certName, keyName);
  const [cert, key] = [given.textOf(certName), given.textOf(keyName)];
  const fault = cert === undefined || key === undefined ? undefined : pemKeyFault(key, cert);
  if (fault !== undefined) given.fault(keyName, `${fault}; ${NEW_TLS_KEY}`);
}
