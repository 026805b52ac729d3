import { describe, expect, it } from 'vitest';
import { findInText } from '../../../tools/forbidden-words.ts';

/** In two parts, so that this file does not hold what it looks for. */
const SLASH = '/';
const DOT = '.';

describe('words of one machine', () => {
  it.each([
    `cd ${SLASH}work/main`,
    `"${SLASH}root/.npmrc"`,
    `PATH=${SLASH}home/alice/bin`,
    `(${SLASH}Users/alice/latchkey)`,
    `C:${'\\'}Users${'\\'}alice`,
    `https://registry${DOT}npmjs${DOT}org/pg`,
    `--index-url https://pypi${DOT}org/simple`,
    `https://npm${DOT}artifactory${DOT}example${DOT}com/pg`,
    `  "resolved": ${'"'}https://example.com/pg.tgz"`,
  ])('are found in %s', (line) => {
    expect(findInText(`first line\n${line}`)).toEqual([expect.stringMatching(/^2: /)]);
  });

  it.each([
    'a path of the policy: /v1/work/{id}',
    'https://example.com/home/alice',
    './root/ca.pem and ../home/alice and ~/root',
    'the /workers and /rooted and /root.json paths',
    'registry.registerMetric(counter)',
    '/etc/latchkey/policy.yaml and /var/run/latchkey.sock and /tmp/latchkey',
    '  "resolved": "tools/node-runtime"',
  ])('are not found in %s', (line) => {
    expect(findInText(line)).toEqual([]);
  });
});
