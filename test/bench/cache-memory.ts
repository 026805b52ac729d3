import { hash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PrincipalCache } from '../../src/cache/principal-cache.ts';
import { type Digest, type KeyId, keySubject, type OrganizationId } from '../../src/model/ids.ts';
import type { Subject } from '../../src/model/subject.ts';

/**
 * Bytes of memory per cached key, and what a hit allocates and costs. `node test/bench/cache-memory.ts [keys]`, a million by
 * default; prints one JSON object. Keys look as the store gives them: every text is a string of its own.
 */
const keys = Number(process.argv[2] ?? 1_000_000);
const HITS = 2_000_000;

setFlagsFromString('--expose-gc');
// The function exists only in contexts made after the flag was set; its type is V8's.
const collectGarbage = runInNewContext('gc') as () => void;

const digestOf = (index: number) => hash('sha256', `key ${index}`, 'base64url') as Digest;
const own = (text: string) => Buffer.from(text).toString();

function subjectOf(index: number): Subject {
  const keyId = own(index.toString(36).padStart(10, '0')) as KeyId;
  return {
    id: keySubject(keyId),
    keyId,
    name: own(`service ${index}`),
    environment: own('live'),
    scopes: ['read', 'write', 'scans:create'].map(own),
    plan: null,
    organizationId: own(`org_${index % 1_000}`) as OrganizationId,
    organizationName: own(`Organization ${index % 1_000}`),
    organizationPlan: own('developer'),
    organizationDisabledAtMs: null,
    ownerId: null,
    ownerRole: 'member',
    ownerDisabledAtMs: null,
    allowedCidrs: [],
    expiresAtMs: null,
    disabledAtMs: null,
    revokedAtMs: null,
    principal: undefined,
  };
}

function memoryBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const startedMs = performance.now();
const cache = new PrincipalCache({
  ...{ credentialsMax: keys, ttlMs: 60_000, staleWindowMs: 600_000 },
  random: Math.random,
  onRefreshDue: () => {},
});
cache.adopt({ epoch: 'e1', version: 0 });
const before = memoryBytes();
for (let index = 0; index < keys; index += 1) {
  const at = { epoch: 'e1', version: 1 };
  const loaded = { kind: 'found', subject: subjectOf(index), secretExpiresAtMs: null, at } as const;
  const ticket = cache.ticket({ wallMs: 0, monoMs: performance.now() - startedMs });
  cache.admit({ kind: 'api_key', digest: digestOf(index), loaded, ticket });
}
const filledMs = performance.now() - startedMs;
const bytes = memoryBytes() - before;

const asked = Array.from({ length: 4_096 }, () => digestOf(Math.floor(Math.random() * keys)));
const now = { wallMs: 0, monoMs: performance.now() - startedMs };
cache.confirm(now.monoMs);
let found = 0;
const ask = (times: number) => {
  for (let index = 0; index < times; index += 1) {
    const digest = asked[index & 4_095];
    if (digest !== undefined && cache.find('api_key', digest, now) !== undefined) found += 1;
  }
};
ask(200_000);
collectGarbage();
const heapBefore = process.memoryUsage().heapUsed;
const hitsStartedMs = performance.now();
ask(HITS);
const hitNs = ((performance.now() - hitsStartedMs) * 1e6) / HITS;
const hitBytes = Math.max(0, process.memoryUsage().heapUsed - heapBefore) / HITS;

process.stdout.write(
  `${JSON.stringify({
    keys,
    bytesPerKey: Math.round(bytes / keys),
    totalMegabytes: Math.round(bytes / 1e6),
    fillMicrosecondsPerKey: Number(((filledMs * 1e3) / keys).toFixed(2)),
    hitNanoseconds: Math.round(hitNs),
    bytesAllocatedPerHit: Number(hitBytes.toFixed(3)),
    found,
    ...cache.stats(),
  })}\n`,
);
