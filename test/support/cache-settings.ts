import type { CacheSettings } from '../../src/cache/compose.ts';
import { readServeConfig } from '../../src/config/read-config.ts';

/** What `serve` runs with when nothing is set. */
export const CACHE_SETTINGS: CacheSettings = defaults();

function defaults(): CacheSettings {
  const reading = readServeConfig(
    {},
    { LATCHKEY_DATABASE_URL: 'postgres://user@host/name', LATCHKEY_POLICY: 'policy.yaml' },
    () => undefined,
  );
  if (reading.kind === 'invalid') throw new Error(reading.problems.join(' '));
  return { ...reading.config.cache, ...reading.config.lookups };
}
