import type { ChangeFollower } from '../cache/follower.ts';
import type { Part } from '../lifecycle.ts';
import type { Log } from '../telemetry/ports.ts';
import { type Standing, storeStanding } from './store-standing.ts';
import { systemClock } from './system.ts';

/** How often the parts are looked at: well within the seconds in which health checks look. */
const LOOK_EVERY_MS = 500;
/** Several polls of the follower: one slow answer is no outage. */
const SILENT_MS_MAX = 5000;

export interface ReadinessParts {
  readonly part: Part;
  readonly follower: ChangeFollower;
  readonly log: Log;
  /** Whether the schema serves this binary; rejects while the store does not answer. */
  readonly schema: () => Promise<string | undefined>;
  /** The schema is known to serve: what reads the store may start. */
  readonly onSchema: () => void;
}

/**
 * Keeps the part `store` told: not ready until the schema is known to serve and the first change version was read,
 * degraded while the store is silent. A later loss never makes it not ready: see lifecycle.ts.
 */
export function watchStore(parts: ReadinessParts, schemaIsKnown: boolean): { stop(): void } {
  let isSchemaKnown = schemaIsKnown;
  let isAsking = false;
  let told: Standing['kind'] | undefined;
  if (isSchemaKnown) parts.onSchema();

  const askForSchema = async (): Promise<void> => {
    isAsking = true;
    try {
      const problem = await parts.schema();
      if (problem === undefined) {
        isSchemaKnown = true;
        parts.onSchema();
      } else {
        parts.part.notReady(problem);
      }
    } catch {
      parts.part.notReady('the database has not answered yet');
    } finally {
      isAsking = false;
    }
  };
  const look = (): void => {
    if (!isSchemaKnown) {
      if (!isAsking) void askForSchema();
      return;
    }
    const standing = storeStanding(parts.follower.state(), systemClock().monoMs, SILENT_MS_MAX);
    if (standing.kind !== told) {
      told = standing.kind;
      if (standing.kind === 'silent') parts.log('warn', 'the database does not answer');
      if (standing.kind === 'followed') parts.log('info', 'the database is followed');
    }
    switch (standing.kind) {
      case 'not_read':
        parts.part.notReady('the first change version has not been read yet');
        break;
      case 'silent':
        parts.part.degraded('the database does not answer; known keys work from memory');
        break;
      case 'followed':
        parts.part.ready();
        break;
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  look();
  return { stop: () => clearInterval(timer) };
}
