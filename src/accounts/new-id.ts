import { randomBase62 } from '../key-text/base62.ts';
import type { Accounts } from './accounts.ts';

/** 62^16: no two will ever meet. The prefix tells a reader what an id in a log is of. */
const ID_CHARS = 16;

export function newId(
  prefix: 'org' | 'usr',
  { randomBytes }: Pick<Accounts, 'randomBytes'>,
): string {
  return `${prefix}_${randomBase62(ID_CHARS, randomBytes)}`;
}

/** A name of this form could be taken for an id where either is accepted, such as a route's tenant. */
export function looksLikeId(text: string): boolean {
  return /^(org|usr)_[0-9A-Za-z]{16}$/.test(text);
}
