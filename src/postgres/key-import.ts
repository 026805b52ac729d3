import type { KeyAdminStore, NewKey, NewKeyProblem, WriteContext } from '../accounts/ports.ts';
import { writeAccounts } from './account-writes.ts';
import { insertKeys, problemOfNewKey, problemOfViolation } from './key-inserts.ts';
import type { Database, Session } from './pool.ts';

/** A few megabytes of parameters and about a second of the server's time; larger imports come in several calls. */
export const KEY_IMPORT_MAX = 10_000;

type ImportResult = Awaited<ReturnType<KeyAdminStore['importKeys']>>;

interface ImportProblem {
  readonly index: number;
  readonly problem: NewKeyProblem;
}

/** What of the batch exists already, and what it refers to that does not: by place in the batch, from 1. */
const CONFLICTS = {
  name: 'keys_import_conflicts',
  text: `
    SELECT t.place::int, found.problem
    FROM unnest($1::text[], $2::bytea[], $3::smallint[], $4::text[], $5::text[])
      WITH ORDINALITY AS t (id, digest, pepper_version, organization_id, owner_id, place)
    CROSS JOIN LATERAL (
      SELECT 'id_taken' AS problem WHERE EXISTS (SELECT FROM latchkey.api_keys k WHERE k.id = t.id)
      UNION ALL SELECT 'digest_taken' WHERE EXISTS (SELECT FROM latchkey.api_key_secrets s
        WHERE s.digest = t.digest AND s.pepper_version = t.pepper_version)
      UNION ALL SELECT 'organization_absent' WHERE NOT EXISTS (
        SELECT FROM latchkey.organizations o WHERE o.id = t.organization_id)
      UNION ALL SELECT 'owner_absent' WHERE t.owner_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM latchkey.users u WHERE u.id = t.owner_id AND u.organization_id = t.organization_id)
      LIMIT 1
    ) found
    ORDER BY t.place`,
};

type ConflictKind = 'id_taken' | 'digest_taken' | 'organization_absent' | 'owner_absent';

export async function importKeys(
  database: Database,
  keys: readonly NewKey[],
  context: WriteContext,
): Promise<ImportResult> {
  if (keys.length > KEY_IMPORT_MAX) return { kind: 'too_many', max: KEY_IMPORT_MAX };
  const flawed = [...flawsOf(keys), ...duplicatesIn(keys)];
  if (flawed.length > 0) return { kind: 'rejected', problems: flawed };
  try {
    return await writeAccounts(database, context, async (writer): Promise<ImportResult> => {
      const conflicts = await conflictsOf(writer.session, keys);
      if (conflicts.length > 0) return { kind: 'rejected', problems: conflicts };
      if (keys.length > 0) {
        await insertKeys(writer, keys, { actor: context.actor, verb: 'key.import' });
      }
      return { kind: 'imported', count: keys.length, at: await writer.position() };
    });
  } catch (error) {
    const problem = problemOfViolation(error);
    if (problem === undefined) throw error;
    return { kind: 'rejected', problems: await blame(database, { keys, problem, context }) };
  }
}

/**
 * The server names the broken rule, not the row. Somebody else's write in between shows on a second look; a rule of a
 * column is nobody's but the batch's, and is told of its first key.
 */
async function blame(
  database: Database,
  {
    keys,
    problem,
    context,
  }: { keys: readonly NewKey[]; problem: NewKeyProblem; context: WriteContext },
): Promise<ImportProblem[]> {
  const conflicts = await database.transaction(
    (session) => conflictsOf(session, keys),
    context.signal,
  );
  return conflicts.length > 0 ? conflicts : [{ index: 0, problem }];
}

function flawsOf(keys: readonly NewKey[]): ImportProblem[] {
  return keys.flatMap((key, index) => {
    const problem = problemOfNewKey(key);
    return problem === undefined ? [] : [{ index, problem }];
  });
}

function duplicatesIn(keys: readonly NewKey[]): ImportProblem[] {
  const ids = new Set<string>();
  const digests = new Set<string>();
  return keys.flatMap(({ id, secret }, index): ImportProblem[] => {
    const { pepperVersion, bytes } = secret.digest;
    const digest = `${pepperVersion}:${Buffer.from(bytes).toString('base64')}`;
    const problem = ids.has(id) ? 'id_taken' : digests.has(digest) ? 'digest_taken' : undefined;
    ids.add(id);
    digests.add(digest);
    return problem === undefined ? [] : [{ index, problem: { kind: problem } }];
  });
}

async function conflictsOf(session: Session, keys: readonly NewKey[]): Promise<ImportProblem[]> {
  const rows = await session.query<{ place: number; problem: ConflictKind }>(CONFLICTS, [
    keys.map(({ id }) => id),
    keys.map(({ secret }) => secret.digest.bytes),
    keys.map(({ secret }) => secret.digest.pepperVersion),
    keys.map(({ organizationId }) => organizationId),
    keys.map(({ ownerId }) => ownerId),
  ]);
  return rows.map(({ place, problem }) => ({ index: place - 1, problem: { kind: problem } }));
}
