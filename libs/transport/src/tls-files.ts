import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Where certificates of a connection are, all PEM; none: the system's authorities, and no certificate of our own. */
export interface TlsFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

interface TlsTexts {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/**
 * The files as they are now, for one connection: whoever reads them at each connection uses a renewed certificate at once. Throws, naming no path,
 * when one cannot be read.
 */
export function readTlsFiles({ caFile, certFile, keyFile }: TlsFiles): TlsTexts {
  return {
    ...(caFile === undefined ? {} : { ca: read('CA', caFile) }),
    ...(certFile === undefined ? {} : { cert: read('certificate', certFile) }),
    ...(keyFile === undefined ? {} : { key: read('key', keyFile) }),
  };
}

/** What keeps a text from being certificates to verify others by; undefined: nothing. */
export function caFault(pem: string): string | undefined {
  try {
    new X509Certificate(pem);
    return undefined;
  } catch {
    return 'holds no certificate in PEM';
  }
}

function read(what: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`the file of the ${what} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`, {
      cause: error,
    });
  }
}
