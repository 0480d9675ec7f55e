import { isCloudEndpoint, parseEndpoint } from '#libs/eci';

/** Where accounts may be called: keys are sent there, and what answers is shown. */
export class AccountEndpoints {
  /** Instead of every account's own. */
  readonly override: string | undefined;
  private readonly listed: ReadonlySet<string>;

  constructor(parts: { readonly override?: string | undefined; readonly listed: readonly string[] }) {
    this.override = parts.override;
    this.listed = new Set(parts.listed.map(canonical));
  }

  /** Whether an account that operators did not configure may be called there; without an endpoint each region's own is called. */
  mayBeNamed(text: string | null | undefined, regions: readonly string[]): boolean {
    if (text === null || text === undefined) return true;
    const endpoint = parseEndpoint(text);
    return endpoint !== undefined && (isCloudEndpoint(endpoint, regions) || this.listed.has(canonical(text)));
  }
}

function canonical(text: string): string {
  const endpoint = parseEndpoint(text);
  return endpoint ? `${endpoint.protocol}://${endpoint.host}` : '';
}
