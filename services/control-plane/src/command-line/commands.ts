import { doctorCommand } from '../doctor/doctor-command.ts';
import type { FleetCommand } from './command.ts';

/** Every command of `npm run fleet`, in the order of its help. */
export const COMMANDS: readonly FleetCommand[] = [doctorCommand];
