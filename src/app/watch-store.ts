import type { Part } from '../lifecycle.ts';
import type { Database } from '../postgres/pool.ts';
import { type SchemaStanding, schemaStanding } from './schema-standing.ts';
import type { Standing } from './store-standing.ts';
import type { Telemetry } from './telemetry.ts';

/** How often the store's standing is looked at: well within the seconds in which health checks look. */
const LOOK_EVERY_MS = 500;

export interface StoreWatchParts {
  readonly part: Part;
  readonly telemetry: Pick<Telemetry, 'log' | 'onFault'>;
  readonly database: Database;
  /** As the start has found it. */
  readonly schema: SchemaStanding;
  /** The schema is known to serve: what reads the store may start. Called once. */
  readonly onSchema: () => void;
  /** Asked once the schema is known. */
  readonly standing: () => Standing;
}

/**
 * Keeps the part `store` told: not ready until the schema is known to serve and the store was read once, degraded while it
 * is silent. A later loss never makes it not ready: see lifecycle.ts.
 */
export function watchStore(parts: StoreWatchParts): { stop(): void } {
  const { part } = parts;
  const { log, onFault } = parts.telemetry;
  let isSchemaKnown = false;
  let isAsking = false;
  let isStopped = false;
  let lastProblem: string | undefined;
  let told: Standing | undefined;

  const learn = (schema: SchemaStanding): void => {
    if (schema.kind === 'serves') {
      isSchemaKnown = true;
      parts.onSchema();
      return;
    }
    const { kind, message } = schema;
    part.notReady(kind === 'silent' ? 'the database has not answered yet' : message);
    if (message !== lastProblem)
      log('warn', 'the database cannot be used yet', { problem: message });
    lastProblem = message;
  };
  const askAgain = async (): Promise<void> => {
    isAsking = true;
    try {
      const schema = await schemaStanding(parts.database);
      if (!isStopped) learn(schema);
    } catch (error) {
      onFault(error);
    } finally {
      isAsking = false;
    }
  };
  const look = (): void => {
    if (!isSchemaKnown) {
      if (!isAsking) void askAgain();
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
  learn(parts.schema);
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}
