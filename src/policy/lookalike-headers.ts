import type { LookalikeHeader, PrincipalHeaderNames } from '../model/policy.ts';
import type { Findings } from './findings.ts';

/** A name with n separators has 2^n spellings. */
const SEPARATORS_MAX = 6;

/**
 * `x_principal_id` and `x-principal_id`, which CGI, WSGI, Rack and PHP make the same variable of as `x-principal-id`. Envoy
 * lets such names pass unless it is told otherwise (`headers_with_underscores_action`), so a client could speak under them.
 */
export function compileLookalikes(
  names: PrincipalHeaderNames,
  slotFirst: number,
  findings: Findings,
): readonly LookalikeHeader[] {
  const lookalikes = new Set<string>();
  for (const [field, name] of Object.entries(names)) {
    if ((name.match(/[-_]/g) ?? []).length > SEPARATORS_MAX) {
      const message = `${JSON.stringify(name)} has more than ${SEPARATORS_MAX} "-" and "_"; choose a plainer name.`;
      findings.error(['principal_headers', field], message);
      continue;
    }
    for (const spelling of spellingsOf(name)) lookalikes.add(spelling);
  }
  for (const name of Object.values(names)) lookalikes.delete(name);
  return [...lookalikes].map((name, index) => ({ name, slot: slotFirst + index }));
}

function spellingsOf(name: string): readonly string[] {
  let spellings = [''];
  for (const char of name) {
    const next = char === '-' || char === '_' ? ['-', '_'] : [char];
    spellings = spellings.flatMap((start) => next.map((end) => start + end));
  }
  return spellings;
}
