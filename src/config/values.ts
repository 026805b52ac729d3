import { z } from 'zod';

/** How the texts of flags and variables become values. A message says what the text should have been. */
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
type Unit = keyof typeof UNIT_MS;

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,12}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`);

/** `250ms`, `30s`, `10m`, `1h` → milliseconds. */
export const duration = (minMs: number, maxMs: number) =>
  z
    .string()
    .regex(/^\d{1,9}(ms|s|m|h)$/, 'must be a time such as 250ms, 30s, 10m or 1h')
    .transform((text) => {
      const [, count = '0', unit = 'ms'] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
      // The pattern above admits these units only.
      return Number(count) * UNIT_MS[unit as Unit];
    })
    .refine(
      (ms) => ms >= minMs && ms <= maxMs,
      `must be from ${durationText(minMs)} to ${durationText(maxMs)}`,
    );

export function durationText(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms > 0 && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}

export const onOff = z
  .enum(['on', 'off'], 'must be on or off')
  .transform((value) => value === 'on');

/** `host:port`; an IPv6 address in brackets. Port 0 lets the system choose. */
export const hostPort = z
  .string()
  .regex(
    /^(\[[0-9A-Fa-f:.]+\]|[^:\s[\]]+):\d{1,5}$/,
    'must be host:port, for example 127.0.0.1:10003',
  )
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    const host = text.slice(0, colon).replace(/^\[|\]$/g, '');
    return { host, port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'the port must be at most 65535');

/** Linux keeps 108 bytes for the path of a socket, the end included (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

export const listenAddress = z.union([
  z
    .string()
    .regex(/^unix:\/./, 'must be unix:/path or host:port')
    .transform((text) => ({ kind: 'unix' as const, path: text.slice('unix:'.length) }))
    .refine(
      ({ path }) => new TextEncoder().encode(path).length <= SOCKET_PATH_BYTES_MAX,
      `the path of a socket may have ${SOCKET_PATH_BYTES_MAX} bytes`,
    ),
  hostPort.transform((address) => ({ kind: 'tcp' as const, ...address })),
]);

/** `2:base64,1:base64`: version and key, the newest being used for new keys. */
export const peppers = z.string().transform((text, context) => {
  const entries: { version: number; key: Uint8Array }[] = [];
  for (const entry of text.split(',')) {
    const [, version, encoded] = /^\s*(\d{1,4}):([A-Za-z0-9+/]+={0,2})\s*$/.exec(entry) ?? [];
    const key = Buffer.from(encoded ?? '', 'base64');
    if (version === undefined || Number(version) === 0) {
      context.addIssue('must be version:base64, versions from 1, several separated by commas');
      return z.NEVER;
    }
    if (key.length < PEPPER_BYTES_MIN) {
      context.addIssue(`the pepper of version ${version} has fewer than ${PEPPER_BYTES_MIN} bytes`);
      return z.NEVER;
    }
    if (entries.some((other) => other.version === Number(version))) {
      context.addIssue(`version ${version} is given twice`);
      return z.NEVER;
    }
    entries.push({ version: Number(version), key });
  }
  return entries;
});

/** As long as the output of the hash that it keys (RFC 2104 §3). */
const PEPPER_BYTES_MIN = 32;
