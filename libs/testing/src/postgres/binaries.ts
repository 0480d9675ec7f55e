import {
  EmbeddedPostgresUnavailable,
  postgresBinaries as embeddedBinaries,
  type PostgresBinaries,
} from '#libs/embedded-postgres';
import { RigUnavailable } from '../preparing/rig-unavailable.ts';

/** PostgreSQL's programs, or the one sentence that says why the rig cannot be had. */
export async function postgresBinaries(folder: string): Promise<PostgresBinaries> {
  try {
    return await embeddedBinaries(folder);
  } catch (error) {
    if (error instanceof EmbeddedPostgresUnavailable) throw new RigUnavailable(error.message, { cause: error });
    throw error;
  }
}
