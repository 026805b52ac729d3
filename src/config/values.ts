import { z } from 'zod';

/** How the texts of flags and variables become values. A message says what the text should have been, and never repeats it. */
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
type Unit = keyof typeof UNIT_MS;

export const wholeNumber = (min: number, max: number) => {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,12}$/, rule)
    .transform(Number)
    .refine((value) => value >= min && value <= max, rule);
};

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

export const oneOf = <const Choice extends string>(...choices: readonly Choice[]) =>
  z.enum(choices, `must be ${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`);

export const onOff = oneOf('on', 'off').transform((value) => value === 'on');

export const path = z
  .string()
  .min(1, 'must not be empty')
  .refine((text) => !text.includes('\0'), 'must not hold a NUL');

/** Shown in lists and logs. */
export const name = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters without spaces');

/** What else is wrong with one is said when it is used: postgres/ knows every parameter. */
export const databaseUrl = z
  .string()
  .regex(
    /^postgres(ql)?:\/\/\S+$/,
    'must be a URL such as postgres://user:password@host:5432/name, without spaces or line breaks',
  );

const HOST_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^:\s[\]/]+):(\d{1,5})$/;
const PORT_MAX = 65_535;

/** `host:port`; an IPv6 address in brackets. Port 0 lets the system choose. */
export const hostPort = z.string().transform((text, context) => {
  const address = parseHostPort(text);
  if (address !== undefined) return address;
  context.addIssue('must be host:port, for example 127.0.0.1:10003 or [::1]:10003');
  return z.NEVER;
});

/** Linux keeps 108 bytes for the path of a socket, the end included (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

export const listenAddress = z.string().transform((text, context) => {
  if (!text.startsWith('unix:')) {
    const address = parseHostPort(text);
    if (address !== undefined) return { kind: 'tcp' as const, ...address };
    context.addIssue('must be unix:/path or host:port, for example 127.0.0.1:10001');
    return z.NEVER;
  }
  const socket = text.slice('unix:'.length);
  if (!/^\/[^\0]+$/.test(socket)) {
    context.addIssue(
      'must name the socket by its absolute path, for example unix:/run/latchkey.sock',
    );
    return z.NEVER;
  }
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX) {
    context.addIssue(`must have a path of ${SOCKET_PATH_BYTES_MAX} bytes at most`);
    return z.NEVER;
  }
  return { kind: 'unix' as const, path: socket };
});

function parseHostPort(text: string): { host: string; port: number } | undefined {
  const [, host, port] = HOST_PORT.exec(text) ?? [];
  if (host === undefined || Number(port) > PORT_MAX) return undefined;
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** As long as the output of the hash that it keys (RFC 2104 §3). */
const PEPPER_BYTES_MIN = 32;
/** The column that holds it is a smallint. */
const PEPPER_VERSION_MAX = 32_767;

/** `2:base64,1:base64`: version and key, the highest version being used for new keys. */
export const peppers = z.string().transform((text, context) => {
  const entries: { version: number; key: Uint8Array }[] = [];
  for (const entry of text.split(',')) {
    const [, versionText, encoded] = /^\s*(\d{1,5}):(\S+)\s*$/.exec(entry) ?? [];
    const version = Number(versionText ?? 0);
    if (version < 1 || version > PEPPER_VERSION_MAX) {
      context.addIssue(
        `must be version:base64, several separated by commas, with versions from 1 to ${PEPPER_VERSION_MAX}`,
      );
      return z.NEVER;
    }
    const key = Buffer.from(encoded ?? '', 'base64');
    // Buffer.from reads on over anything; a key must not come out shorter than it was written.
    if (key.toString('base64') !== encoded) {
      context.addIssue(`has a pepper of version ${version} that is no base64 (with its padding)`);
      return z.NEVER;
    }
    if (key.length < PEPPER_BYTES_MIN) {
      context.addIssue(
        `has a pepper of version ${version} with fewer than ${PEPPER_BYTES_MIN} bytes; make one with: openssl rand -base64 ${PEPPER_BYTES_MIN}`,
      );
      return z.NEVER;
    }
    if (entries.some((other) => other.version === version)) {
      context.addIssue(`has version ${version} twice`);
      return z.NEVER;
    }
    entries.push({ version, key });
  }
  return entries;
});
