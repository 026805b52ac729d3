import type { Flags } from '../cli/ports.ts';
import { type ConfigReading, type Environment, readServeConfig } from '../config/read-config.ts';
import type { ServeConfig } from '../config/serve-config.ts';
import { parseConnectionUrl } from '../postgres/connection-url.ts';

/** The configuration of `serve`, with the parameters of its database URLs understood. */
export function readCheckedServeConfig(
  flags: Flags,
  environment: Environment,
): ConfigReading<ServeConfig> {
  return readServeConfig(flags, environment, (url) => {
    const parsed = parseConnectionUrl(url);
    return parsed.kind === 'invalid' ? parsed.problem : undefined;
  });
}
