import { type Refusal, refusal } from '../accounts/result.ts';
import { StoreUnavailableError } from '../model/change.ts';
import { ConnectionUrlError } from '../postgres/client.ts';
import { StoreFaultError } from '../postgres/errors.ts';
import { MigrationError } from '../postgres/migrate.ts';

/** SQLSTATE insufficient_privilege. */
const NO_RIGHT = '42501';

/** What an error of the store comes to for the person at the keyboard; `undefined`: it is a bug of ours. */
export function storeProblem(error: unknown): Refusal | undefined {
  if (error instanceof StoreUnavailableError) {
    return refusal(
      'unavailable',
      `${error.message}${serverText(error.cause)} See that the server is up and that the database URL names it.`,
    );
  }
  if (error instanceof ConnectionUrlError) return refusal('invalid', error.message);
  if (error instanceof MigrationError) return refusal('conflict', error.message);
  if (error instanceof StoreFaultError) return faultProblem(error);
  return undefined;
}

function faultProblem({ message, sqlState }: StoreFaultError): Refusal {
  if (sqlState !== NO_RIGHT) return refusal('conflict', message);
  return refusal(
    'conflict',
    `${message}. Use a database user that may: latchkey_check serves, latchkey_api manages accounts, latchkey_migrate migrates (docs/postgres.md).`,
  );
}

/** Why a server refuses a connection ("password authentication failed for user …"): its message names no secret. */
function serverText(cause: unknown): string {
  if (!(cause instanceof Error) || !('severity' in cause)) return '';
  return ` It says: ${cause.message}.`;
}
