/**
 * What leaves this machine: encrypted and authenticated, or by an exception that somebody wrote down.
 *
 * Hides: which addresses are of this machine, and how certificates are kept in files that change. Guarantees: one rule for every address of every
 * configuration; a certificate that was renewed is used by the next connection, without a restart. Does not: open connections, or know any setting.
 */
export { insecureTransports, staysHere, weaknessOf, type InsecureTransport, type RuledLink } from './link.ts';
export { caFault, readTlsFiles, type TlsFiles } from './tls-files.ts';
export { isTlsTrouble, isUnbelieved } from './tls-codes.ts';
