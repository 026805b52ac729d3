import type { Command } from 'commander';
import { awaitReplicas, type Confirmation } from '../accounts/keys/await-replicas.ts';
import { type Refusal, refusal } from '../accounts/result.ts';
import type { StorePosition } from '../model/change.ts';
import { EXIT, type Flags } from './ports.ts';
import { spanMs } from './time-span.ts';
import type { Command as OpenCommand } from './with-accounts.ts';

export interface WaitFlags extends Flags {
  readonly wait?: boolean;
  readonly timeout: string;
}

/** For a change that takes something away: whoever is in a hurry wants to know when it holds. */
export function withWaitOptions(command: Command): Command {
  return command
    .option('--wait', 'return when every replica has confirmed, and say how long it took')
    .option(
      '--timeout <time>',
      'with --wait: give up after this time (90s, 30m, 24h at most)',
      '30s',
    );
}

/** A timer of Node's holds no more than 24.8 days; nobody watches a terminal for longer than one. */
const TIMEOUT_MS_MAX = 24 * 3_600_000;

export function waitTimeoutMs({ timeout }: WaitFlags): number | Refusal {
  const timeoutMs = spanMs(timeout);
  if (timeoutMs !== undefined && timeoutMs <= TIMEOUT_MS_MAX) return timeoutMs;
  return refusal(
    'invalid',
    `--timeout ${JSON.stringify(timeout)} is no time to wait. Write 10s or 5m, 24h at most.`,
  );
}

/** The replicas could not be asked any more; the change itself is done. */
export interface Unwatched {
  readonly kind: 'unwatched';
  readonly message: string;
}

/** The last look at the replicas may start just before the timeout. */
const REPLY_MARGIN_MS = 5000;

export async function waitForReplicas(
  { accounts, staleWindowMs, sleep, explain }: OpenCommand,
  at: StorePosition,
  timeoutMs: number,
): Promise<Confirmation | Unwatched> {
  const signal = AbortSignal.timeout(timeoutMs + REPLY_MARGIN_MS);
  try {
    return await awaitReplicas(accounts, { at, staleWindowMs, timeoutMs, sleep }, signal);
  } catch (error) {
    const explained = explain(error);
    if (explained === undefined) throw error;
    return { kind: 'unwatched', message: explained.message };
  }
}

export function exitCodeOf({ kind }: Confirmation | Unwatched): number {
  return kind === 'confirmed' ? EXIT.ok : EXIT.failed;
}

export function confirmationLines(confirmation: Confirmation | Unwatched): string[] {
  switch (confirmation.kind) {
    case 'confirmed':
      return confirmation.replicas === 0
        ? ['No replica is running: nothing to wait for.']
        : [`Confirmed by ${count(confirmation.replicas)} after ${confirmation.tookMs} ms.`];
    case 'unconfirmed':
      return [
        `Not confirmed by ${count(confirmation.missing.length)} within ${confirmation.waitedMs} ms (${confirmation.confirmed} confirmed):`,
        ...confirmation.missing.map(
          ({ name, mayAllowForMs }) =>
            `  ${name} may still act on what it knew before, for up to ${Math.ceil(mayAllowForMs / 1000)} s`,
        ),
      ];
    case 'unwatched':
      return [
        'The change is done, but the replicas could not be asked whether they know it:',
        `  ${confirmation.message}`,
      ];
  }
}

function count(replicas: number): string {
  return replicas === 1 ? '1 replica' : `${replicas} replicas`;
}
