import type { Part } from '../lifecycle.ts';
import type { Database } from '../postgres/pool.ts';
import { type SchemaStanding, schemaStanding } from './schema-standing.ts';
import type { Silence, Standing } from './store-standing.ts';
import { systemClock } from './system.ts';
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
  const { part, database } = parts;
  const { log, onFault } = parts.telemetry;
  const tell = createTeller(part, log);
  let isSchemaKnown = false;
  let isAsking = false;
  let isStopped = false;
  let lastProblem: string | undefined;

  const learn = (schema: SchemaStanding): void => {
    if (schema.kind === 'serves') {
      isSchemaKnown = true;
      parts.onSchema();
      return;
    }
    const { kind, message } = schema;
    part.notReady(kind === 'silent' ? 'the database has not answered yet (see the log)' : message);
    if (message !== lastProblem)
      log('warn', 'the database cannot be used yet', { problem: message });
    lastProblem = message;
  };
  const askAgain = async (): Promise<void> => {
    isAsking = true;
    try {
      const schema = await schemaStanding(database);
      if (!isStopped) learn(schema);
    } catch (error) {
      onFault(error);
    } finally {
      isAsking = false;
    }
  };
  const look = (): void => {
    if (isSchemaKnown) tell(parts.standing());
    else if (!isAsking) void askAgain();
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

/** Tells each change of the standing once: to the part, and to the log with what only the operator is to know. */
function createTeller(part: Part, log: Telemetry['log']): (standing: Standing) => void {
  let told: Standing['kind'] | undefined;
  let silentSinceMs: number | undefined;
  const tellSilence = ({ consequence, cause }: Silence): void => {
    part.degraded(`the database does not answer (see the log): ${consequence}`);
    log('warn', 'the database does not answer', { cause, consequence });
    silentSinceMs ??= systemClock().monoMs;
  };
  const tellFollowed = (): void => {
    part.ready();
    if (silentSinceMs === undefined) {
      log('info', 'the database is followed');
    } else {
      const afterMs = Math.round(systemClock().monoMs - silentSinceMs);
      log('info', 'the database answers again', { after_ms: afterMs });
    }
    silentSinceMs = undefined;
  };
  return (standing) => {
    if (standing.kind === told) return;
    told = standing.kind;
    switch (standing.kind) {
      case 'not_read':
        part.notReady('the first change version has not been read yet');
        break;
      case 'silent':
      case 'blind':
        tellSilence(standing);
        break;
      case 'followed':
        tellFollowed();
        break;
    }
  };
}
