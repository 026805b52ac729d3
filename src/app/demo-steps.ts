import type { DemoKeys } from './demo-keys.ts';

/** One thing to try: what is sent, and what is to come back. */
export interface DemoStep {
  readonly title: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly credential: DemoCredential | undefined;
  readonly header: readonly [name: string, value: string] | undefined;
  readonly expectStatus: number;
  /** Sent so often; the last answer counts. */
  readonly times: number;
}

interface DemoCredential {
  readonly by: 'bearer' | 'x-api-key' | 'basic';
  readonly key: keyof DemoKeys;
}

/** What the trial plan of examples/policy.yaml admits at once. */
const TRIAL_BURST = 5;

const reader = (by: DemoCredential['by']): DemoCredential => ({ by, key: 'reader' });

export const DEMO_STEPS: readonly DemoStep[] = [
  step({ title: 'no credential', path: '/v1/scans', expectStatus: 401 }),
  step({
    title: 'a key that may read; the upstream sees x-principal-*, and no key',
    ...{ path: '/v1/scans', credential: reader('bearer'), expectStatus: 200 },
  }),
  step({
    title: 'the same key as X-API-Key',
    ...{ path: '/v1/scans', credential: reader('x-api-key'), expectStatus: 200 },
  }),
  step({
    title: 'the same key as the user of Basic, with an empty password',
    ...{ path: '/v1/scans', credential: reader('basic'), expectStatus: 200 },
  }),
  step({
    title: 'a public path, and a header that pretends to be somebody: it does not arrive',
    ...{ path: '/v1/public/motd', header: ['x-principal-id', 'root'], expectStatus: 200 },
  }),
  step({
    title: 'a scope that the key lacks',
    ...{ method: 'POST', path: '/v1/scans', credential: reader('bearer'), expectStatus: 403 },
  }),
  step({
    title: 'a key that has it',
    ...{ method: 'POST', path: '/v1/scans', expectStatus: 200 },
    credential: { by: 'bearer', key: 'writer' },
  }),
  step({
    title: 'a path that no rule names',
    ...{ path: '/v2/anything', credential: reader('bearer'), expectStatus: 404 },
  }),
  step({
    title: `${TRIAL_BURST + 1} requests on a plan of ${TRIAL_BURST} a minute`,
    ...{ path: '/v1/scans', expectStatus: 429, times: TRIAL_BURST + 1 },
    credential: { by: 'bearer', key: 'trial' },
  }),
];

/** The request that is refused once the reader's key is revoked. */
export const AFTER_REVOCATION: DemoStep = step({
  title: 'the revoked key',
  ...{ path: '/v1/scans', credential: reader('bearer'), expectStatus: 401 },
});

function step(
  given: Pick<DemoStep, 'title' | 'path' | 'expectStatus'> & Partial<DemoStep>,
): DemoStep {
  return { method: 'GET', credential: undefined, header: undefined, times: 1, ...given };
}

/** The name of the shell variable that holds a key: so that it stands on the screen once. */
export const variableOf = (key: keyof DemoKeys): string => key.toUpperCase();

export function headersOf({ credential, header }: DemoStep, keys: DemoKeys): [string, string][] {
  const headers: [string, string][] = header === undefined ? [] : [[header[0], header[1]]];
  if (credential === undefined) return headers;
  const { text } = keys[credential.key];
  switch (credential.by) {
    case 'bearer':
      return [...headers, ['authorization', `Bearer ${text}`]];
    case 'x-api-key':
      return [...headers, ['x-api-key', text]];
    case 'basic':
      return [...headers, ['authorization', `Basic ${Buffer.from(`${text}:`).toString('base64')}`]];
  }
}

/** A command to paste. */
export function curlOf(demoStep: DemoStep, origin: string): string {
  const { method, path, header, times } = demoStep;
  const parts = ['curl', '-i'];
  if (method !== 'GET') parts.push('-X', method);
  if (header !== undefined) parts.push('-H', `'${header[0]}: ${header[1]}'`);
  parts.push(...curlCredential(demoStep), `${origin}${path}`);
  const command = parts.join(' ');
  return times === 1 ? command : `for i in $(seq ${times}); do ${command}; done`;
}

function curlCredential({ credential }: DemoStep): string[] {
  if (credential === undefined) return [];
  const variable = `$${variableOf(credential.key)}`;
  switch (credential.by) {
    case 'bearer':
      return ['-H', `"Authorization: Bearer ${variable}"`];
    case 'x-api-key':
      return ['-H', `"X-API-Key: ${variable}"`];
    case 'basic':
      return ['-u', `"${variable}:"`];
  }
}
