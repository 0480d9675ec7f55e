const LONGEST = 80;

/**
 * `, not "abc"`, to be put behind what was wanted of an option or a variable, so that whoever mistyped sees what arrived. Cut to 80 characters, on one
 * line. Nothing for a value with an `@`: a URL in it may hold a password. Never give it a secret.
 */
export function notGiven(value: string): string {
  if (value.includes('@')) return '';
  return `, not ${JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value)}`;
}

/** `/etc/key ` for a file that cannot be read; nothing for what is no path: somebody may have given the secret itself. */
export const fileGiven = (path: string): string => (/^\.{0,2}\//.test(path) && !/[=@+]/.test(path) ? `${path} ` : '');
