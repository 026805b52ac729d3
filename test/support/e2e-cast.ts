import type { TestKey } from './e2e-keys.ts';
import type { Stack } from './e2e-stack.ts';

const HOUR_MS = 3_600_000;

/** A key by the name that says what it is. @throws Error when there is none of this name. */
export type Cast = (name: string) => TestKey;

/**
 * Keys of every kind that a table of credentials tells apart: `reader`, `writer`, `admin`, `bounded admin` (its owner is no
 * administrator), `test`, `elsewhere` and `here` (bound to addresses), and those that count for nothing: `revoked`, `disabled`,
 * `expired`, `deleted`, `mistyped`.
 */
export async function createCast(stack: Stack): Promise<Cast> {
  const { create, revoke, owners } = stack.keys;
  const keys = new Map<string, TestKey>();
  const reader = await create({ owner: owners.member });
  keys.set('reader', reader);
  keys.set('writer', await create({ scopes: ['write'] }));
  keys.set('admin', await create({ scopes: ['admin'] }));
  keys.set('bounded admin', await create({ scopes: ['admin'], owner: owners.member }));
  keys.set('test', await create({ environment: 'test' }));
  keys.set('elsewhere', await create({ allowedCidrs: ['192.0.2.0/24', '2001:db8::/32'] }));
  keys.set('here', await create({ allowedCidrs: ['192.0.2.0/24', '127.0.0.0/8'] }));
  const ended = async (name: string, statement: string, wish = {}): Promise<void> => {
    const key = await create(wish);
    keys.set(name, key);
    await stack.postgres.sql(`${statement} WHERE id = $1`, [key.id]);
  };
  await ended('disabled', 'UPDATE latchkey.api_keys SET disabled_at = now()');
  const hour = { expiresAtMs: Date.now() + HOUR_MS };
  await ended('expired', 'UPDATE latchkey.api_keys SET expires_at = now()', hour);
  await ended('deleted', 'DELETE FROM latchkey.api_keys');
  const revoked = await create();
  keys.set('revoked', revoked);
  await revoke(revoked.id);
  const { id, text } = reader;
  keys.set('mistyped', { id, text: `${text.slice(0, -1)}${text.endsWith('a') ? 'b' : 'a'}` });
  return (name) => {
    const key = keys.get(name);
    if (key === undefined) throw new Error(`no key ${name}`);
    return key;
  };
}
