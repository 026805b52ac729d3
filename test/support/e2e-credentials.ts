import type { RequestInit } from './http-clients.ts';

/** The places of test/fixtures/e2e-policy.yaml where a request can carry a key. */
export const PLACES = ['bearer', 'header', 'basic', 'query', 'cookie'] as const;
export type Place = (typeof PLACES)[number];

/** The request with a key in this place. */
export function carrying(place: Place, text: string, request: RequestInit): RequestInit {
  const { path = '/', headers = [] } = request;
  const withHeader = (name: string, value: string): RequestInit => ({
    ...request,
    headers: [...headers, [name, value]],
  });
  switch (place) {
    case 'bearer':
      return withHeader('authorization', `Bearer ${text}`);
    case 'header':
      return withHeader('x-api-key', text);
    case 'basic':
      return withHeader('authorization', basic(`${text}:`));
    case 'query':
      return { ...request, path: `${path}${path.includes('?') ? '&' : '?'}api_key=${text}` };
    case 'cookie':
      return withHeader('cookie', `sid=${text}`);
  }
}

/** The value of an Authorization header; `pair` is one character per byte. */
export function basic(pair: string): string {
  return `Basic ${Buffer.from(pair, 'latin1').toString('base64')}`;
}

/** The challenges of that policy, in its order; `error` is what a Bearer challenge adds. */
export function challenges(error = ''): string[] {
  return [
    `Bearer realm="e2e"${error}`,
    'ApiKey realm="e2e", in="header", name="x-api-key"',
    'Basic realm="e2e", charset="UTF-8"',
    'ApiKey realm="e2e", in="query", name="api_key"',
    'ApiKey realm="e2e", in="cookie", name="sid"',
  ];
}
