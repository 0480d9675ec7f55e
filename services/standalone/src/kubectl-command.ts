/** A command that works when it is pasted into a shell, whatever the file is called. */
export const kubectlCommand = (kubeconfig: string): string => `kubectl --kubeconfig ${quoted(kubeconfig)} get pods -A`;

const quoted = (path: string): string => (/^[\w./:@%+=,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
