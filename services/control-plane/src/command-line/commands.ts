import { auditKeysCommand } from '../audit/keys-command.ts';
import { auditTokenCommand } from '../audit/token-command.ts';
import { auditVerifyCommand } from '../audit/verify-command.ts';
import { doctorCommand } from '../doctor/doctor-command.ts';
import { holdCommands } from '../holds/hold-commands.ts';
import { orphanCommands } from '../orphans/orphan-commands.ts';
import { PROJECTIONS } from '../projections.ts';
import { rebuildCommand } from '../rebuild/rebuild-command.ts';
import type { FleetCommand } from './command.ts';

/** Every command of `npm run fleet`, in the order of its help. */
export const COMMANDS: readonly FleetCommand[] = [
  doctorCommand,
  ...orphanCommands,
  ...holdCommands,
  rebuildCommand(PROJECTIONS),
  auditVerifyCommand,
  auditKeysCommand,
  auditTokenCommand,
];
