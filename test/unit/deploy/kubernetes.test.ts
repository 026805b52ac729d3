import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ENVOY_VERSION } from '../../../src/app/envoy-binary.ts';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';

/*
 * What can be said of the manifests without the tools of a cluster. What they render, test/operator/ tests; that their
 * envoy.yaml is the repository's, `npm run check` says.
 */

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const MANIFESTS = globSync('deploy/kubernetes/**/*.yaml', { cwd: ROOT });
const GUIDE = read('docs/kubernetes.md');

describe('the manifests', () => {
  it('run this release of latchkey, and the Envoy that the tests run', () => {
    const tags = MANIFESTS.flatMap((path) => [
      ...read(path).matchAll(
        /^ *(?:image: (?<image>\S+):|- name: (?<name>\S+)\n.*\n *newTag: )(?<tag>\S+)$/gm,
      ),
    ]).map(({ groups }) => [groups?.['image'] ?? groups?.['name'], groups?.['tag']].join(':'));
    const { version } = JSON.parse(read('package.json'));
    const images = [`envoyproxy/envoy:distroless-v${ENVOY_VERSION}`, `latchkey:${version}`];
    expect([...new Set(tags)].toSorted()).toEqual(images);
    expect(tags).toHaveLength(7);
  });

  const policies = MANIFESTS.filter((path) => path.endsWith('/policy.yaml'));

  it.each(policies)('%s is a policy without a fault or a warning', (path) => {
    const { policy, errors, warnings } = checkPolicyText(read(path));
    expect([errors, warnings]).toEqual([[], []]);
    expect(policy).toBeDefined();
  });

  it.each(policies)('%s lets probes through Envoy without a key', (path) => {
    expect(read(path)).toMatch(/path: \/healthz, methods: \[GET\] \},? *\n? *auth: none/);
  });
});

describe('docs/kubernetes.md', () => {
  it('names every part, and only files that exist', () => {
    const linked = [...GUIDE.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path ?? '');
    for (const path of linked) expect(() => read(join('docs', path)), path).not.toThrow('ENOENT');
    for (const folder of ['sidecar', 'base', 'migrate', 'pod-monitor', 'overlays/example']) {
      expect(GUIDE).toContain(`\`${folder}/\``);
    }
  });

  it('creates the Secrets that the manifests mount, with the files that they read', () => {
    const text = MANIFESTS.map(read).join('\n');
    const secrets = [...text.matchAll(/secretName: ([a-z-]+)/g)].map(([, name]) => name);
    const files = [...text.matchAll(/value: \/etc\/latchkey\/secrets\/([a-z-]+)/g)];
    expect(new Set(secrets)).toEqual(new Set(['latchkey', 'latchkey-migrate']));
    for (const name of secrets) expect(GUIDE).toContain(`create secret generic ${name} `);
    for (const [, file] of files) expect(GUIDE).toContain(`--from-file=${file}=`);
  });
});
