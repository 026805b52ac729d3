import { normalisePath } from '../model/path.ts';
import type { CheckInput } from '../model/request.ts';

/** A request that is fit to be matched: nothing in it can mean two things to two readers. */
export interface RequestView {
  readonly kind: 'view';
  readonly input: CheckInput;
  /** Lower case, without port and trailing dot. */
  readonly host: string;
  /** Of the path, decoded once. */
  readonly segments: readonly string[];
  /** As sent, without the `?`. */
  readonly query: string | undefined;
}

export type Reading =
  | RequestView
  | {
      readonly kind: 'refused';
      readonly reason: 'method_malformed' | 'host_malformed' | 'path_malformed';
    };

/** RFC 9110 §5.6.2; longer names of methods do not exist. */
const METHOD = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}$/;
/** A registered name, an IPv4 address or an IPv6 literal, and a port (RFC 3986 §3.2.2, without escapes). */
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?$/;
/** RFC 1035 allows 253 characters; the rest is a port and brackets. */
const HOST_CHARS_MAX = 262;

/** What the request is. Refuses what the upstream might read otherwise than we do. */
export function read(input: CheckInput): Reading {
  if (!METHOD.test(input.method)) return { kind: 'refused', reason: 'method_malformed' };
  const host = normaliseHost(input.host);
  if (host === undefined) return { kind: 'refused', reason: 'host_malformed' };
  const path = normalisePath(input.path);
  if (path.kind === 'malformed') return { kind: 'refused', reason: 'path_malformed' };
  return { kind: 'view', input, host, segments: path.segments, query: path.query };
}

/** An empty host (HTTP/1.0) matches rules for any host only. */
function normaliseHost(raw: string): string | undefined {
  if (raw === '') return '';
  if (raw.length > HOST_CHARS_MAX) return undefined;
  const name = HOST.exec(raw)?.[1];
  if (name === undefined) return undefined;
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}
