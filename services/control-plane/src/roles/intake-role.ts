import type { RunningRole } from '../running-role.ts';
import { Intake, type IntakeParts } from '../intake/intake.ts';
import type { StatusPublisher } from '../intake/ports.ts';

interface IntakePorts extends IntakeParts {
  readonly statuses: StatusPublisher & Pick<RunningRole, 'setAside'>;
}

/** Role `intake`: from what agents say to events. */
export async function intakeRole(ports: IntakePorts): Promise<RunningRole> {
  const intake = new Intake(ports);
  await intake.start();
  return {
    stop: () => intake.stop(),
    trouble: () => intake.trouble(),
    setAside: () => [...intake.setAside(), ...ports.statuses.setAside()],
  };
}
