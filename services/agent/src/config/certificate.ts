import type { Given } from '#libs/configuration';
import { pemKeyFault } from '#libs/keys';

/** Whether a key is that of its certificate, by the variables that name their files, and cannot be guessed. The faults are those of now. */
export function checkKey(given: Given, certName: string, keyName: string): void {
  const [cert, key] = [given.textOf(certName), given.textOf(keyName)];
  const fault = cert === undefined || key === undefined ? undefined : pemKeyFault(key, cert);
  if (fault !== undefined) given.fault(keyName, fault);
}
