import { z } from 'zod';
import { text } from '#libs/contracts';

/** Why somebody wants it, in words; kept for ever. */
export const Reason = text(500, 1).optional();

/** For requests without a body. */
export const ReasonQuery = z.strictObject({ reason: Reason });
export type ReasonQuery = z.infer<typeof ReasonQuery>;
