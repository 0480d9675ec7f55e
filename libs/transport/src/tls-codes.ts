const UNBELIEVED = /^(ERR_TLS_CERT_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA)/;
const OF_TLS = /^ERR_(TLS|SSL)_/;

/** Whether an error's code says that a server's certificate is not believed. It is looked at before anything of ours is sent. */
export function isUnbelieved(code: unknown): boolean {
  return typeof code === 'string' && UNBELIEVED.test(code);
}

/** Whether an error's code says that TLS with a server did not work: the former, a handshake that failed, files of ours that are away. */
export function isTlsTrouble(code: unknown): boolean {
  return typeof code === 'string' && (UNBELIEVED.test(code) || OF_TLS.test(code));
}
