import { type FileHandle, open, realpath, stat } from 'node:fs/promises';

/** A policy of thousands of routes is far below; it bounds what a reload can cost. */
export const POLICY_BYTES_MAX = 1024 * 1024;

export type PolicyFileReading =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unreadable'; readonly message: string };

/**
 * What tells one state of the file from another without reading it: what a write, a rename or a replacement changes, and
 * the path behind all symbolic links (Kubernetes swaps a link above the file), since not every file system numbers its
 * files. The time of change is in it because a write can keep size and modification time.
 */
export async function fingerprint(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(real, { bigint: true });
    return [real, dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return `unreadable: ${errorCode(error)}`;
  }
}

export async function readPolicyFile(path: string): Promise<PolicyFileReading> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    return { kind: 'unreadable', message: openFault(path, errorCode(error)) };
  }
  try {
    return await readOpened(path, file);
  } catch (error) {
    return { kind: 'unreadable', message: `${path} cannot be read (${errorCode(error)}).` };
  } finally {
    await file.close();
  }
}

async function readOpened(path: string, file: FileHandle): Promise<PolicyFileReading> {
  const status = await file.stat();
  if (!status.isFile()) {
    return {
      kind: 'unreadable',
      message: `${path} is no regular file; name the policy file itself.`,
    };
  }
  // One byte more than is allowed, since the file may have grown after the look at its size.
  const buffer = Buffer.alloc(Math.min(status.size, POLICY_BYTES_MAX) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  if (length > POLICY_BYTES_MAX) {
    const message = `${path} is larger than ${POLICY_BYTES_MAX} bytes; shorten it, for instance by path templates.`;
    return { kind: 'unreadable', message };
  }
  return decode(path, buffer.subarray(0, length));
}

/** A byte order mark is kept, so that the text has the SHA-256 of the file. */
function decode(path: string, bytes: Uint8Array): PolicyFileReading {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { kind: 'text', text };
  } catch {
    return { kind: 'unreadable', message: `${path} is not UTF-8; save it in that encoding.` };
  }
}

function openFault(path: string, code: string): string {
  switch (code) {
    case 'ENOENT':
      return `${path} does not exist; create it, or name another file.`;
    case 'EACCES':
      return `${path} may not be read by this user; change its permissions.`;
    default:
      return `${path} cannot be opened (${code}).`;
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
