import { fileURLToPath } from 'node:url';

/** Root of this checkout. */
export const repositoryFolder = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
