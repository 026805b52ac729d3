import { refusal } from '../accounts/result.ts';
import { StoreUnavailableError } from '../model/change.ts';
import { refuse } from './output.ts';
import type { Flags, OpenAccounts, Runtime } from './ports.ts';

/** Longer than any single write takes on a store that works. */
const COMMAND_TIMEOUT_MS = 30_000;

/** Opens the store for one command, closes it again, and tells an outage as one. The number is the exit code. */
export async function withAccounts(
  runtime: Runtime,
  flags: Flags,
  use: (open: OpenAccounts, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const json = flags['json'] === true;
  const opened = await runtime.openAccounts(flags);
  if (opened.kind === 'refused') return refuse(runtime.terminal, opened, json);
  try {
    return await use(opened.value, AbortSignal.timeout(COMMAND_TIMEOUT_MS));
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    const message = `The database did not answer: ${error.message}. Nothing is known of the outcome; look before you try again.`;
    return refuse(runtime.terminal, refusal('conflict', message), json);
  } finally {
    await opened.value.close();
  }
}
