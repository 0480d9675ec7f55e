import type { RoleStarters } from './parts.ts';
import { startProject } from './project/role.ts';
import { startPublish } from './publish/role.ts';

/** What each role starts; `api` is the server itself. */
export const ROLE_STARTERS: RoleStarters = {
  publish: startPublish,
  project: startProject,
};
