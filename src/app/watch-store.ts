import type { Part } from '../lifecycle.ts';
import type { Database } from '../postgres/pool.ts';
import type { Log } from '../telemetry/ports.ts';
import { askSchema } from './schema-at-start.ts';
import type { Standing } from './store-standing.ts';

/** How often the store's standing is looked at: well within the seconds in which health checks look. */
const LOOK_EVERY_MS = 500;

export interface StoreWatchParts {
  readonly part: Part;
  readonly log: Log;
  readonly database: Database;
  readonly isSchemaKnown: boolean;
  /** The schema is known to serve: what reads the store may start. Called once. */
  readonly onSchema: () => void;
  readonly standing: () => Standing;
}

/**
 * Keeps the part `store` told: not ready until the schema is known to serve and the store was read once, degraded while it
 * is silent. A later loss never makes it not ready: see lifecycle.ts.
 */
export function watchStore(parts: StoreWatchParts): { stop(): void } {
  const { part, log } = parts;
  let { isSchemaKnown } = parts;
  let isAsking = false;
  let told: Standing | undefined;
  if (isSchemaKnown) parts.onSchema();

  const learnSchema = async (): Promise<void> => {
    isAsking = true;
    try {
      const problem = await askSchema(parts.database);
      if (problem !== undefined) return part.notReady(problem);
      isSchemaKnown = true;
      parts.onSchema();
    } catch {
      part.notReady('the database has not answered yet');
    } finally {
      isAsking = false;
    }
  };
  const look = (): void => {
    if (!isSchemaKnown) {
      if (!isAsking) void learnSchema();
      return;
    }
    const standing = parts.standing();
    if (standing === told) return;
    told = standing;
    switch (standing) {
      case 'not_read':
        part.notReady('the first change version has not been read yet');
        break;
      case 'silent':
        part.degraded('the database does not answer; known keys work from memory');
        log('warn', 'the database does not answer');
        break;
      case 'followed':
        part.ready();
        log('info', 'the database is followed');
        break;
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  look();
  return { stop: () => clearInterval(timer) };
}
