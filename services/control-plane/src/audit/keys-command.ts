import { WrongUsage } from '#libs/runtime';
import type { FleetCommand } from '../command-line/command.ts';
import { readAuditConfig } from './audit-config.ts';
import { publicAuditKey, type NamedAuditKey } from './audit-key.ts';
import { readOnlyPool } from './read-only-pool.ts';
import { keysInPostgres } from './verify/postgres-history.ts';

const HELP = `Prints the public keys that have signed seals, as a JWKS. Keep a copy outside PostgreSQL, for \`audit verify --public-keys\`.

  npm run --silent fleet -- audit keys > audit-keys.json

Reads DATABASE_URL, and FLEET_AUDIT_KEY or FLEET_AUDIT_KEY_FILE where they are set. Says on standard error which keys are known from
PostgreSQL alone: compare those with a copy you made earlier before you trust them.

Exit codes: 0 printed, 1 PostgreSQL does not answer, 2 wrong usage or configuration.`;

/** `fleet audit keys` */
export const auditKeysCommand: FleetCommand = {
  name: 'audit keys',
  summary: 'prints the public keys that have signed seals (JWKS)',
  help: HELP,
  async run(args, { environment, print, complain }) {
    if (args.length > 0) throw new WrongUsage(`${args.join(' ')} is not understood: it takes no arguments`);
    const config = readAuditConfig(environment);
    const keys = new Map<string, NamedAuditKey>();
    if (config.auditKey) {
      const key = publicAuditKey(config.auditKey);
      keys.set(key.kid, key);
    }
    const pool = readOnlyPool(config.databaseUrl);
    try {
      for (const key of await keysInPostgres(pool)) {
        if (keys.has(key.kid)) continue;
        keys.set(key.kid, key);
        complain(`key ${key.kid} is known from PostgreSQL alone`);
      }
    } finally {
      await pool.end();
    }
    if (keys.size === 0) complain('no key is configured, and none has ever signed');
    print(JSON.stringify({ keys: [...keys.values()] }, null, 2));
    return 0;
  },
};
