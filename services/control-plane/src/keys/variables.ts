import { duration, section, type Variables } from '#libs/configuration';
import { secretTextFault } from '#libs/keys';
import { z } from 'zod';
import type { DisplayKeysSetting } from './hides-texts.ts';

interface KeySettings {
  /** 256 bits. */
  readonly masterKey: Uint8Array;
  readonly displayKeys: {
    readonly setting: DisplayKeysSetting;
    /** What is hidden can be shown for so long after its pod is gone, milliseconds. */
    readonly retentionMs: number;
  };
}

const NEW_MASTER_KEY = 'make one with `openssl rand -base64 32`';

const masterKey = z.string().transform((text, context) => {
  const refuse = (message: string): never => {
    context.addIssue({ code: 'custom', message: `${message}${NEW_MASTER_KEY}` });
    return z.NEVER;
  };
  const bytes = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  if (bytes.length !== 32) return refuse('must be exactly 32 bytes in base64 (44 characters): ');
  const weakness = secretTextFault(text, bytes);
  return weakness === undefined ? new Uint8Array(bytes) : refuse(`can be guessed: it ${weakness}; `);
});

const DISPLAY_KEYS = ['auto', 'on', 'off'] as const satisfies readonly DisplayKeysSetting[];

export const keys = section({
  variables: {
    FLEET_MASTER_KEY: {
      secret: true,
      meaning: 'key that wraps all data keys: 32 bytes in base64; required (or FLEET_MASTER_KEY_FILE)',
      required:
        'is missing: set it or FLEET_MASTER_KEY_FILE to 32 random bytes in base64 (for example `openssl rand -base64 32`)',
      schema: masterKey,
      orFile: 'file with the master key',
    },
    FLEET_DISPLAY_KEYS: {
      meaning:
        'hide commands, probes and words of containers under a key of each pod that is erased in time: on, off, or auto, which is on in a fleet that began with a release that can; on in an older one only when no process of 0.1.0 is left',
      default: 'auto',
      schema: z.enum(DISPLAY_KEYS),
    },
    FLEET_DISPLAY_RETENTION: {
      meaning: 'what is hidden of a pod can be shown for so long after the pod is gone: a number with s, m, h or d',
      default: '30d',
      schema: duration,
    },
  } as const satisfies Variables,
  settings: (v): KeySettings => ({
    masterKey: v.FLEET_MASTER_KEY,
    displayKeys: { setting: v.FLEET_DISPLAY_KEYS, retentionMs: v.FLEET_DISPLAY_RETENTION },
  }),
});
