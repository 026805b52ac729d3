import type { HeaderPairs, HttpResponse } from './http-clients.ts';

/**
 * The whole body of a problem without its `decision_id`, which no two answers share.
 * @throws Error when there is no id that looks like one.
 */
export function problem(response: HttpResponse): Record<string, unknown> {
  const { decision_id: id, ...rest } = response.json();
  if (typeof id !== 'string' || !/^[\w-]{6,40}$/.test(id)) throw new Error(`decision_id: ${id}`);
  return rest;
}

/** What two answers of one kind share, byte for byte: all but the time, the id and, in the length, the id's share. */
export function withoutIds(response: HttpResponse): {
  readonly status: number;
  readonly headers: HeaderPairs;
  readonly body: string;
} {
  const id = String(response.json()['decision_id']);
  const headers = response.headers
    .filter(([name]) => name !== 'date')
    .map(([name, value]): [string, string] => [
      name,
      name === 'content-length' ? String(Number(value) - id.length) : value,
    ]);
  return { status: response.status, headers, body: response.body.replace(id, '') };
}

export const LIMIT_HEADERS = [
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'ratelimit',
  'ratelimit-policy',
] as const;
