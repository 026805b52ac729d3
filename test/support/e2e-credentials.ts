import type { HeaderPairs, RequestInit } from './http-clients.ts';

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

const PATHS = ['/v1/read', '/v1/admin', '/v1/hidden/x', '/nowhere', '/v1/none/x'];

/** Requests that carry a key in every place and form, right and wrong, and where no key belongs. */
export function requestsWith(text: string): readonly RequestInit[] {
  const onRead = (...headers: HeaderPairs): RequestInit => ({ path: '/v1/read', headers });
  return [
    ...PLACES.flatMap((place) =>
      PATHS.flatMap((path) => [
        carrying(place, text, { path }),
        carrying(place, `${text}x`, { path }),
      ]),
    ),
    onRead(['authorization', basic(`:${text}`)]),
    onRead(['authorization', `Digest ${text}`]),
    onRead(['authorization', `Bearer ${text},Bearer ${text}`]),
    { path: `/v1/read?x=1;api%5Fkey=${text}` },
    { path: `/v1/read?api%5Fkey=${text}` },
    { path: `/v1/nothing/${text}` },
    { path: `/v1/read/../${text}` },
    { path: `/v1/admin?token=${text}`, headers: [['referer', `http://a/?${text}`]] },
    onRead(['user-agent', text]),
    onRead(['host', `user:${text}@a`]),
    { path: '/v1/read', method: text.slice(0, 32) },
  ];
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
