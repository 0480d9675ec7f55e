import { createHmac, randomBytes } from 'node:crypto';
import { isAction, knownParameters } from './known-parameters.ts';

/** Parameters whose values are secrets, or may be: what a container is given, and credentials. Indices are written as `N`. */
const SECRET =
  /^(?:(?:Init)?Container\.N\.EnvironmentVar\.N\.Value|Volume\.N\.ConfigFileVolume\.ConfigFileToPath\.N\.Content|Volume\.N\.FlexVolume\.Options|ImageRegistryCredential\.N\.Password|.*HttpHeader\.N\.Value)$/;

/** Values of secrets as digests: equal ones are seen to be equal, and nobody without the key can try guesses. */
export class SecretParameters {
  private readonly key = randomBytes(32);

  /** All parameters of a request by name. What an action does not know may be anything, a signature too. */
  hidden(action: string, parameters: ReadonlyMap<string, string>): Record<string, string> {
    const known = isAction(action) ? knownParameters(action) : undefined;
    const shown: Record<string, string> = {};
    for (const [name, value] of parameters) {
      const general = name.replace(/\.\d+(?=\.|$)/g, '.N');
      const open = known === undefined ? /^(Action|Version|RegionId)$/.test(name) : known.has(general);
      shown[name] = open && !SECRET.test(general) ? value : this.digest(value);
    }
    return shown;
  }

  private digest(value: string): string {
    return `digest:${createHmac('sha256', this.key).update(value).digest('base64url').slice(0, 22)}`;
  }
}
