import type { Part } from '../lifecycle.ts';
import { type SchemaStanding, schemaStanding } from './schema-standing.ts';
import type { Surroundings } from './server.ts';
import type { OpenStore } from './store.ts';
import type { Standing } from './store-standing.ts';
import { watchStore } from './watch-store.ts';

export interface ApiRoleParts extends Surroundings {
  readonly store: OpenStore;
  readonly schema: SchemaStanding;
  readonly storePart: Part;
}

const LOOK_AT_STORE_EVERY_MS = 2000;
const STOP_MS = 1000;

/** A process that decides nothing: it watches its store, and has no port that Envoy could ask. */
export function openApiRole({ store, telemetry, lifecycle, ...parts }: ApiRoleParts): void {
  const { database } = store;
  const answers = watchAnswers(() => schemaStanding(database), telemetry.onFault);
  const watch = watchStore({
    ...{ part: parts.storePart, telemetry, database, schema: parts.schema },
    ...{ onSchema: answers.start, standing: answers.standing },
  });
  lifecycle.onStop({
    name: 'store watch',
    deadlineMs: STOP_MS,
    async run() {
      watch.stop();
      answers.stop();
    },
  });
}

/** Without a follower the store is asked as such, never twice at a time. */
function watchAnswers(askStore: () => Promise<SchemaStanding>, onFault: (error: unknown) => void) {
  let timer: NodeJS.Timeout | undefined;
  let isAsking = false;
  // Begun when the store has just answered.
  let standing: Standing = { kind: 'followed' };
  const ask = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      const schema = await askStore();
      standing =
        schema.kind === 'silent'
          ? { kind: 'silent', cause: schema.message, consequence: 'keys cannot be managed' }
          : { kind: 'followed' };
    } catch (error) {
      onFault(error);
    } finally {
      isAsking = false;
    }
  };
  return {
    standing: () => standing,
    start() {
      timer = setInterval(() => void ask(), LOOK_AT_STORE_EVERY_MS);
    },
    stop: () => clearInterval(timer),
  };
}
