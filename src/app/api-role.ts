import type { Part } from '../lifecycle.ts';
import { askSchema } from './schema-at-start.ts';
import type { Surroundings } from './server.ts';
import type { OpenStore } from './store.ts';
import type { Standing } from './store-standing.ts';
import { watchStore } from './watch-store.ts';

export interface ApiRoleParts extends Surroundings {
  readonly store: OpenStore;
  readonly isSchemaKnown: boolean;
  readonly storePart: Part;
}

const LOOK_AT_STORE_EVERY_MS = 2000;
const STOP_MS = 1000;

/** A process that decides nothing: it watches its store, and has no port that Envoy could ask. */
export function openApiRole({ store, telemetry, lifecycle, ...parts }: ApiRoleParts): void {
  const answers = watchAnswers(store);
  const watch = watchStore({
    ...{ part: parts.storePart, log: telemetry.log, database: store.database },
    ...{ isSchemaKnown: parts.isSchemaKnown, standing: answers.standing },
    onSchema: () => {},
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
function watchAnswers({ database }: OpenStore): { standing: () => Standing; stop(): void } {
  let standing: Standing = 'not_read';
  let isAsking = false;
  const ask = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      await askSchema(database);
      standing = 'followed';
    } catch {
      if (standing === 'followed') standing = 'silent';
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => void ask(), LOOK_AT_STORE_EVERY_MS);
  void ask();
  return { standing: () => standing, stop: () => clearInterval(timer) };
}
