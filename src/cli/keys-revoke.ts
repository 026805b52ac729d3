import { awaitReplicas, type Confirmation } from '../accounts/keys/await-replicas.ts';
import { type Revocation, revokeKey } from '../accounts/keys/revoke-key.ts';
import { refusal } from '../accounts/result.ts';
import type { KeyId } from '../model/ids.ts';
import { printable, refuse } from './output.ts';
import { EXIT, type Flags, type Runtime, type Terminal } from './ports.ts';
import { spanMs } from './time-span.ts';
import { withAccounts } from './with-accounts.ts';

export interface RevokeFlags extends Flags {
  readonly wait?: boolean;
  readonly timeout: string;
}

export function revokeKeyCommand(
  runtime: Runtime,
  id: string,
  flags: RevokeFlags,
): Promise<number> {
  const json = flags['json'] === true;
  const { terminal } = runtime;
  const timeoutMs = spanMs(flags.timeout);
  if (timeoutMs === undefined) {
    const message = `--timeout ${JSON.stringify(flags.timeout)} is no time span. Write 10s or 5m.`;
    return Promise.resolve(refuse(terminal, refusal('invalid', message), json));
  }
  return withAccounts(runtime, flags, async (open, signal) => {
    const { accounts, actor, staleWindowMs, sleep } = open;
    const revoked = await revokeKey(accounts, id as KeyId, { actor, signal });
    if (revoked.kind === 'refused') return refuse(terminal, revoked, json);
    if (flags.wait !== true) {
      tell(terminal, { revocation: revoked.value, confirmation: undefined }, json);
      return EXIT.ok;
    }
    const wait = { at: revoked.value.at, staleWindowMs, timeoutMs, sleep };
    const waiting = AbortSignal.timeout(timeoutMs + REPLY_MARGIN_MS);
    const confirmation = await awaitReplicas(accounts, wait, waiting);
    tell(terminal, { revocation: revoked.value, confirmation }, json);
    return confirmation.kind === 'confirmed' ? EXIT.ok : EXIT.failed;
  });
}

/** The last look at the replicas may start just before the timeout. */
const REPLY_MARGIN_MS = 5000;

interface Told {
  readonly revocation: Revocation;
  readonly confirmation: Confirmation | undefined;
}

function tell(terminal: Terminal, { revocation, confirmation }: Told, json: boolean): void {
  const { record, changed } = revocation;
  if (json) {
    terminal.out(
      JSON.stringify({ id: record.id, changed, revokedAtMs: record.revokedAtMs, confirmation }),
    );
    return;
  }
  terminal.out(changed ? `Revoked ${record.id}.` : `${record.id} was revoked before.`);
  if (confirmation === undefined) {
    terminal.err(
      'Replicas that reach the database refuse it within a second or two; --wait tells when.',
    );
    return;
  }
  for (const line of confirmationLines(confirmation)) terminal.out(line);
}

function confirmationLines(confirmation: Confirmation): string[] {
  switch (confirmation.kind) {
    case 'confirmed':
      return confirmation.replicas === 0
        ? ['No replica is running: nothing to wait for.']
        : [
            `Confirmed by ${replicas(confirmation.replicas)} after ${Math.round(confirmation.tookMs)} ms.`,
          ];
    case 'unconfirmed':
      return [
        `Not confirmed by ${replicas(confirmation.missing.length)} within ${Math.round(confirmation.waitedMs)} ms (${confirmation.confirmed} confirmed):`,
        ...confirmation.missing.map(
          ({ name, mayAllowForMs }) =>
            `  ${printable(name)} may still allow the key for up to ${Math.ceil(mayAllowForMs / 1000)} s`,
        ),
      ];
  }
}

function replicas(count: number): string {
  return count === 1 ? '1 replica' : `${count} replicas`;
}
