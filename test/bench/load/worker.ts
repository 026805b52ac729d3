/** The process of the load generator: takes commands from its parent, one after the other, until it disconnects. */

import { KeyTable } from './key-table.ts';
import type { Command, Message } from './protocol.ts';
import { runFlows } from './run-flows.ts';

let table: KeyTable | undefined;

async function obey(command: Command): Promise<Message> {
  if (command.kind === 'keys') {
    table = KeyTable.read(command.path);
    return { kind: 'done', result: undefined };
  }
  if (table === undefined) throw new Error('there are no keys yet');
  const result = await runFlows(command, table, () => tell({ kind: 'measuring' }));
  return { kind: 'done', result };
}

function tell(message: Message): void {
  process.send?.(message);
}

process.on('message', (command: Command) => {
  obey(command).then(tell, (error: unknown) => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tell({ kind: 'failed', message });
  });
});
// The parent has gone: nobody is left to measure for.
process.on('disconnect', () => process.exit());
tell({ kind: 'ready' });
