import { statSync } from 'node:fs';
import type { Server } from 'node:https';
import { pemKeyFault } from '#libs/keys';
import { errorMessage, type Logger } from '#libs/observability';
import { readTlsFiles } from '#libs/transport';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * Looks at the files before each handshake, which costs two calls of the system, and shows the certificate that is in them: one that was renewed
 * needs no restart, and nothing has to be told. Files that do not fit together, as between two writes, leave the certificate as it was.
 */
export function renewCertificate(server: Server, files: CertificateFiles, logger: Logger): void {
  let seen = stampOf(files);
  // The server's own listener, which begins the handshake, comes after this one.
  server.prependListener('connection', () => {
    const stamp = stampOf(files);
    if (stamp === seen) return;
    seen = stamp;
    const fault = renew(server, files);
    if (fault === undefined) logger.info('the certificate of the API was renewed');
    else
      logger.warn('the files of the certificate of the API changed and cannot be used; the old one stays', { fault });
  });
}

function renew(server: Server, files: CertificateFiles): string | undefined {
  try {
    const { cert = '', key = '' } = readTlsFiles(files);
    const fault = pemKeyFault(key, cert);
    if (fault === undefined) server.setSecureContext({ cert, key });
    return fault;
  } catch (error) {
    return errorMessage(error);
  }
}

/** Differs when a file was written or put in the place of another. */
function stampOf({ certFile, keyFile }: CertificateFiles): string {
  return [certFile, keyFile]
    .map((path) => {
      const found = statSync(path, { bigint: true, throwIfNoEntry: false });
      return found === undefined ? 'none' : `${found.ino}.${found.size}.${found.mtimeNs}`;
    })
    .join();
}
