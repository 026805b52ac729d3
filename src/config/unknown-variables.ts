import { SETTINGS, type Setting } from './settings.ts';

const PREFIX = 'LATCHKEY_';

/** For the tests of this repository (CONTRIBUTING.md). */
const TEST_PREFIX = 'LATCHKEY_TEST_';

/**
 * What Kubernetes sets in every pod for a Service whose name begins with "latchkey" (`latchkey`, `latchkey-api`): the
 * variables of Docker links and `…_SERVICE_HOST`. They must not keep a sidecar of the same namespace from starting.
 */
const KUBERNETES_SERVICE =
  /^LATCHKEY_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;

/** `LATCHKEY_PORT=tcp://10.0.0.1:10002`; somebody's own `LATCHKEY_ADMIN_PORT=10003` is a mistake that must be told. */
const KUBERNETES_LINK = /^(?:tcp|udp|sctp):\/\//;

/** More changes than this are no misspelling. */
const DISTANCE_MAX = 3;

/** A misspelled variable would otherwise leave a default in force that nobody wanted. */
export function unknownVariables(
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const known = knownVariables();
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !known.has(name))
    .filter(
      (name) => !name.startsWith(TEST_PREFIX) && !isOfKubernetes(name, environment[name] ?? ''),
    )
    .sort()
    .map((name) => `${name} is no variable of latchkey. ${advice(name, known)}`);
}

function isOfKubernetes(name: string, value: string): boolean {
  return KUBERNETES_SERVICE.test(name) || (name.endsWith('_PORT') && KUBERNETES_LINK.test(value));
}

function knownVariables(): ReadonlySet<string> {
  const settings: readonly Setting[] = Object.values(SETTINGS);
  return new Set(
    settings.flatMap(({ variable, secret }) =>
      secret ? [variable, `${variable}_FILE`] : [variable],
    ),
  );
}

function advice(name: string, known: ReadonlySet<string>): string {
  const withoutFile = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : undefined;
  if (withoutFile !== undefined && known.has(withoutFile)) {
    return `Only secrets are read from files: set ${withoutFile} itself.`;
  }
  let nearest: string | undefined;
  let distanceMin = DISTANCE_MAX + 1;
  for (const candidate of known) {
    if (Math.abs(name.length - candidate.length) >= distanceMin) continue;
    const distance = editDistance(name, candidate);
    if (distance < distanceMin) [nearest, distanceMin] = [candidate, distance];
  }
  return nearest === undefined
    ? 'Remove it; docs/configuration.md names those there are.'
    : `Did you mean ${nearest}?`;
}

/** Levenshtein: insertions, deletions and replacements that turn one into the other. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const removed = (previous[column] ?? 0) + 1;
      const added = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(replaced, removed, added));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
