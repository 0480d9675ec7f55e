import { section } from '#libs/configuration';
import { z } from 'zod';

export const inventory = section({
  variables: {
    INVENTORY_SECONDS: {
      meaning: 'time between two inventories, seconds',
      default: '300',
      schema: z.coerce.number().int().min(5).max(3_600),
    },
  },
  settings: (v): { readonly inventorySeconds: number } => ({ inventorySeconds: v.INVENTORY_SECONDS }),
});
