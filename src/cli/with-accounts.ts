import { createReply, type Reply } from './output.ts';
import type { Flags, OpenAccounts, Runtime } from './ports.ts';

/** Longer than any single write takes on a store that works. */
const COMMAND_TIMEOUT_MS = 30_000;

export interface Command extends OpenAccounts {
  readonly reply: Reply;
  readonly signal: AbortSignal;
}

/** Opens the store for one command, closes it again, and tells an outage as one. The number is the exit code. */
export async function withAccounts(
  runtime: Runtime,
  flags: Flags,
  use: (command: Command) => Promise<number>,
): Promise<number> {
  const reply = createReply(runtime.terminal, flags);
  const opened = await runtime.openAccounts(flags);
  if (opened.kind === 'refused') return reply.refuse(opened);
  const { explain, close } = opened.value;
  try {
    return await use({ ...opened.value, reply, signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS) });
  } catch (error) {
    const refusal = explain(error);
    if (refusal === undefined) throw error;
    if (refusal.reason !== 'unavailable') return reply.refuse(refusal);
    // The answer may have been lost after the write was done.
    const message = `${refusal.message} Whether anything was changed is not known: look before you try again.`;
    return reply.refuse({ ...refusal, message });
  } finally {
    await close();
  }
}
