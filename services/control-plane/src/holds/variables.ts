import { duration, durationText, section } from '#libs/configuration';
import { DEFAULT_MASS_DELETE_LIMITS, type MassDeleteLimits } from '#libs/domain';
import { z } from 'zod';

interface HoldSettings {
  /** When stops of a cluster are held for an operator. */
  readonly massDelete: MassDeleteLimits;
}

export const holds = section({
  variables: {
    FLEET_MASS_DELETE_PERCENT: {
      meaning: "stops that nobody was seen asking for are held when they exceed this part of a cluster's groups, 0–100",
      default: String(DEFAULT_MASS_DELETE_LIMITS.percent),
      unit: 'percent',
      schema: z.coerce.number().min(0).max(100),
    },
    FLEET_MASS_DELETE_COUNT: {
      meaning: '… and exceed this number as well',
      default: String(DEFAULT_MASS_DELETE_LIMITS.count),
      unit: 'stops',
      schema: z.coerce.number().int().min(0),
    },
    FLEET_MASS_DELETE_WINDOW: {
      meaning: '… within this time: a number with s, m, h or d',
      default: durationText(DEFAULT_MASS_DELETE_LIMITS.windowMs),
      schema: duration,
    },
  },
  settings: (v): HoldSettings => ({
    massDelete: {
      percent: v.FLEET_MASS_DELETE_PERCENT,
      count: v.FLEET_MASS_DELETE_COUNT,
      windowMs: v.FLEET_MASS_DELETE_WINDOW,
    },
  }),
});
