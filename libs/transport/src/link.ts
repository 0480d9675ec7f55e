import { isLoopback } from '#libs/callers';

/** A way out of this process to what one setting names. */
interface Link {
  /** Where the configuration names it, such as `KAFKA_BROKERS`. */
  readonly setting: string;
  /** Names and addresses without a port; a path is a Unix socket. */
  readonly hosts: readonly string[];
  readonly encrypted: boolean;
  /** The server shows a certificate, which is checked together with its name. */
  readonly serverVerified: boolean;
  /** The server is shown who calls. */
  readonly clientProven: boolean;
}

/** A link with what its configuration says about it. */
export interface RuledLink extends Link {
  /** The variable that allows it as it is, such as `KAFKA_INSECURE`. */
  readonly exception: string;
  /** What to set instead, as the middle of a sentence: `set KAFKA_TLS=true`. */
  readonly remedy: string;
}

/** A link that is weak and was allowed to be. */
export interface InsecureTransport {
  readonly setting: string;
  /** The first other machine that it leads to. */
  readonly host: string;
  readonly why: string;
  readonly allowedBy: string;
}

/** Names and values of variables; absent and empty are the same. */
type Environment = Readonly<Record<string, string | undefined>>;

/** What is wrong with a link that leaves this machine, and where it leads; undefined: nothing, or it stays here. */
export function weaknessOf(link: Link): { readonly host: string; readonly why: string } | undefined {
  const host = link.hosts.find((each) => !staysHere(each));
  if (host === undefined) return undefined;
  if (!link.encrypted) return { host, why: 'what goes there travels in clear' };
  if (!link.serverVerified) return { host, why: 'nobody checks that it is the one that is meant' };
  if (!link.clientProven) return { host, why: 'nobody there is told who calls' };
  return undefined;
}

/**
 * The rule: what leaves this machine is encrypted, to a server that is verified, by a client that says who it is; or its exception is `true`.
 * Returns the exceptions that are made use of; every other weak link is added to `faults`, as a sentence with its setting and what to do.
 */
export function insecureTransports(
  links: readonly RuledLink[],
  environment: Environment,
  faults: string[],
): readonly InsecureTransport[] {
  return links.flatMap((link) => {
    const { setting, exception, remedy } = link;
    // Node believes every certificate then, whoever connects.
    const anyoneWillDo = environment['NODE_TLS_REJECT_UNAUTHORIZED'] === '0';
    const weakness = weaknessOf({ ...link, serverVerified: link.serverVerified && !anyoneWillDo });
    if (weakness === undefined) return [];
    const { host, why } = weakness;
    if (environment[exception]?.trim() === 'true') return [{ setting, host, why, allowedBy: exception }];
    const instead =
      anyoneWillDo && link.encrypted ? 'do not set NODE_TLS_REJECT_UNAUTHORIZED=0; name the CA instead' : remedy;
    faults.push(
      `${setting}: ${host} is another machine, and ${why}: ${instead}, or ${exception}=true for a network that nobody else is in`,
    );
    return [];
  });
}

/** Whether what goes to a host, or to a Unix socket by its path, never leaves this machine. */
export function staysHere(host: string): boolean {
  return host.startsWith('/') || isLoopback(host);
}
