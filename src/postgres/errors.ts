import { StoreUnavailableError } from '../model/change.ts';

/**
 * The server refused a statement for a reason that waiting does not cure: a bug, a missing right, a missing table.
 * Neither an outage nor an answer. It carries no `detail` and no values, since those quote rows.
 */
export class StoreFaultError extends Error {
  override readonly name = 'StoreFaultError';
  readonly sqlState: string;
  readonly constraint: string | undefined;

  constructor(message: string, sqlState: string, constraint: string | undefined) {
    super(message);
    this.sqlState = sqlState;
    this.constraint = constraint;
  }
}

/**
 * SQLSTATEs, or their first two characters, that say "not now" (manual, appendix "Error Codes"): connection trouble,
 * refused or wrong credentials, no such database, transaction lost a race, out of resources, lock not available,
 * cancelled or shut down, system trouble. 25006: connected to a standby.
 */
const OUTAGE_CLASSES: ReadonlySet<string> = new Set([
  '08',
  '28',
  '3D',
  '40',
  '53',
  '57',
  '58',
  'F0',
  'XX',
]);
const OUTAGE_STATES: ReadonlySet<string> = new Set(['25006', '55P03']);

/** What became of a call to the server, as this program speaks of it. For errors that came out of `pg` only. */
export function storeError(error: unknown): Error {
  if (error instanceof StoreUnavailableError || error instanceof StoreFaultError) return error;
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined) return noAnswer(error);
  if (OUTAGE_STATES.has(sqlState) || OUTAGE_CLASSES.has(sqlState.slice(0, 2))) {
    return new StoreUnavailableError(`Postgres is not available (${sqlState}).`, { cause: error });
  }
  const { constraint } = error as { constraint?: unknown };
  return new StoreFaultError(
    `Postgres refused a statement (${sqlState}): ${messageOf(error)}`,
    sqlState,
    typeof constraint === 'string' ? constraint : undefined,
  );
}

/** Without a SQLSTATE it came from the network, the TLS library or the pool. A bug of ours stays one. */
function noAnswer(error: unknown): Error {
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) {
    return error;
  }
  return new StoreUnavailableError(`Postgres did not answer: ${messageOf(error)}`, {
    cause: error,
  });
}

function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string')
    return undefined;
  // Codes of the network and of Node have letters only, or more than five characters.
  return /^[0-9A-Z]{5}$/.test(error.code) && /[0-9]/.test(error.code) ? error.code : undefined;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Several addresses of one name were tried, and each failed in its own way.
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(messageOf).join('; ');
  }
  return error.message;
}
