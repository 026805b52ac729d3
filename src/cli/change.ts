import type { Switched } from '../accounts/switched.ts';
import { EXIT } from './ports.ts';
import { confirmationLines, exitCodeOf, waitForReplicas } from './replica-wait.ts';
import type { Command } from './with-accounts.ts';

/** A change that replicas have to learn, and what a person is told of it. */
export interface Change<Item> extends Switched<Item> {
  readonly line: string;
}

/** Tells the change, and with a timeout what the replicas say to it. Gives the exit code. */
export async function tellChange<Item extends object>(
  command: Command,
  { record, changed, at, line }: Change<Item>,
  waitMs: number | false,
): Promise<number> {
  const { reply } = command;
  const done = { ...record, changed };
  if (waitMs === false) {
    reply.tell(done, [line]);
    reply.note('Replicas that reach the database know it within a second or two.');
    return EXIT.ok;
  }
  // Told before the wait, which may be long or end in Ctrl-C. With --json there is one document, at the end.
  reply.progress(line);
  const confirmation = await waitForReplicas(command, at, waitMs);
  reply.tell({ ...done, confirmation }, confirmationLines(confirmation));
  return exitCodeOf(confirmation);
}
