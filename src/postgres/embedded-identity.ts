import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-error.ts';

const run = promisify(execFile);

/** Whom the server runs as. `undefined` ids: whoever runs us. */
export interface ServerIdentity {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

const USER_NAME = 'postgres';

/**
 * Postgres refuses to run as root. So as root it runs as the user `postgres`, which is created when the machine has
 * none; anyone else runs it as themselves.
 */
export async function serverIdentity(): Promise<ServerIdentity> {
  if (process.getuid?.() !== 0) return { uid: undefined, gid: undefined };
  return (await lookUp()) ?? (await create());
}

async function lookUp(): Promise<ServerIdentity | undefined> {
  try {
    // `id` asks the same name service as the server does, which /etc/passwd alone is not.
    const [uid, gid] = await Promise.all([
      run('id', ['-u', USER_NAME]),
      run('id', ['-g', USER_NAME]),
    ]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

/** The spellings of the shadow utilities (most Linux systems) and of BusyBox (Alpine). */
const CREATE_COMMANDS: readonly (readonly [string, readonly string[]])[] = [
  ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', USER_NAME]],
  ['adduser', ['-S', '-D', '-H', '-s', '/bin/false', USER_NAME]],
];

async function create(): Promise<ServerIdentity> {
  for (const [command, args] of CREATE_COMMANDS) {
    try {
      await run(command, [...args]);
    } catch {
      continue;
    }
    const identity = await lookUp();
    if (identity !== undefined) return identity;
  }
  throw new EmbeddedPostgresError(
    `Postgres does not run as root, and the user "${USER_NAME}" could be neither found nor created. ` +
      `Create it (useradd --system ${USER_NAME}), start latchkey as another user, or use a database URL.`,
  );
}
