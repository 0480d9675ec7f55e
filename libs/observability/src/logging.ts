import { section } from '#libs/configuration';
import { z } from 'zod';
import { LOG_LEVELS, type LogLevel } from './logger.ts';

/** By what a service's log is configured. */
export const logging = section({
  variables: {
    LOG_LEVEL: { meaning: 'debug, info, warn, error or silent', default: 'info', schema: z.enum(LOG_LEVELS) },
  },
  settings: (v): { readonly logLevel: LogLevel } => ({ logLevel: v.LOG_LEVEL }),
});
