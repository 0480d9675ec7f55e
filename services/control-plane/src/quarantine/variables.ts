import { duration, durationText, section } from '#libs/configuration';
import { z } from 'zod';
import { DEFAULT_QUARANTINE_LIMITS, type QuarantineLimits } from './quarantine-limits.ts';

interface QuarantineSettings {
  readonly quarantine: QuarantineLimits;
}

export const quarantine = section({
  variables: {
    FLEET_QUARANTINE_RETENTION: {
      meaning: 'a message in quarantine that does not come again is forgotten after this: a number with s, m, h or d',
      default: durationText(DEFAULT_QUARANTINE_LIMITS.retentionMs),
      schema: duration,
    },
    FLEET_QUARANTINE_ROWS: {
      meaning:
        'messages in quarantine of one cluster, and of all whose sender is not proven together; the oldest give way',
      default: String(DEFAULT_QUARANTINE_LIMITS.rows),
      unit: 'messages',
      schema: z.coerce.number().int().min(1).max(1_000_000),
    },
  },
  settings: (v): QuarantineSettings => ({
    quarantine: { retentionMs: v.FLEET_QUARANTINE_RETENTION, rows: v.FLEET_QUARANTINE_ROWS },
  }),
});
