import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { OnGrpcServerEvent, Schedule } from './ports.ts';
import { errorCode, GrpcStartError } from './start-error.ts';

export interface TlsFiles {
  /** PEM: the server's certificate, then its intermediates. */
  readonly certFile: string;
  /** PEM: the private key, without a passphrase. */
  readonly keyFile: string;
  /** PEM: with it, a client must show a certificate that one of these CAs signed (mutual TLS). */
  readonly clientCaFile?: string;
  /** How often the files are read again. */
  readonly reloadIntervalMs?: number;
}

/** Kubernetes takes a minute or so to bring a changed Secret into a pod; this adds little to it. */
const RELOAD_INTERVAL_MS_DEFAULT = 10_000;

/** A certificate chain with its key, or a CA bundle, takes some kilobytes; more is the wrong file. */
const PEM_BYTES_MAX = 1024 * 1024;

export interface Certificates {
  readonly context: SecureContextOptions;
  /** When the server's own certificate expires, in milliseconds since the Unix epoch. */
  readonly notAfterMs: number;
  /** Of the files' content: tells whether anything changed. */
  readonly fingerprint: string;
}

type Read =
  | { readonly kind: 'usable'; readonly certificates: Certificates }
  | { readonly kind: 'unusable'; readonly message: string; readonly fingerprint: string };

/** @throws GrpcStartError naming the file that cannot be read or used. */
export async function loadCertificates(files: TlsFiles): Promise<Certificates> {
  const read = await readCertificates(files);
  if (read.kind === 'unusable') throw new GrpcStartError(read.message);
  return read.certificates;
}

export interface CertificateWatch {
  /** Reads the files now, and hands them on if they changed into something usable. */
  reload(): Promise<void>;
  stop(): void;
}

/**
 * Reads the files again and again, and compares their content: that sees an edit, a rename and the swap of a symbolic
 * link above the files (Kubernetes) alike, where a watch on an inode would go blind. Files caught halfway through a
 * change do not fit together; they are rejected, and looked at again the next time.
 */
export function watchCertificates(watch: {
  readonly files: TlsFiles;
  readonly current: Certificates;
  readonly schedule: Schedule;
  readonly apply: (certificates: Certificates) => void;
  readonly onEvent: OnGrpcServerEvent;
}): CertificateWatch {
  const { files, schedule, apply, onEvent } = watch;
  const intervalMs = files.reloadIntervalMs ?? RELOAD_INTERVAL_MS_DEFAULT;
  let lastSeen = watch.current.fingerprint;
  let running: Promise<void> | undefined;
  let cancel = () => {};
  let stopped = false;

  const look = async () => {
    const read = await readCertificates(files);
    if (stopped) return;
    const fingerprint = read.kind === 'usable' ? read.certificates.fingerprint : read.fingerprint;
    // What was rejected is reported once, not at every look.
    if (fingerprint === lastSeen) return;
    lastSeen = fingerprint;
    if (read.kind === 'unusable') {
      onEvent({ kind: 'certificate_rejected', message: read.message });
      return;
    }
    apply(read.certificates);
    onEvent({ kind: 'certificate_loaded', notAfterMs: read.certificates.notAfterMs });
  };
  const reload = (): Promise<void> => {
    running ??= look().finally(() => {
      running = undefined;
    });
    return running;
  };
  const lookLater = () => {
    cancel = schedule(() => {
      void reload().finally(() => {
        if (!stopped) lookLater();
      });
    }, intervalMs);
  };
  lookLater();
  return {
    reload,
    stop: () => {
      stopped = true;
      cancel();
    },
  };
}

async function readCertificates(files: TlsFiles): Promise<Read> {
  const hash = createHash('sha256');
  try {
    const cert = await readPem('certificate', files.certFile);
    const key = await readPem('private key', files.keyFile);
    const ca =
      files.clientCaFile === undefined ? undefined : await readPem('client CA', files.clientCaFile);
    for (const pem of [cert, key, ca ?? Buffer.alloc(0)]) hash.update(`${pem.length}:`).update(pem);
    const fingerprint = hash.digest('base64');
    const fault = findFault(files, { cert, key, ca });
    if (fault !== undefined) return { kind: 'unusable', message: fault, fingerprint };
    const context: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2', ...(ca && { ca }) };
    const notAfterMs = new X509Certificate(cert).validToDate.getTime();
    return { kind: 'usable', certificates: { context, notAfterMs, fingerprint } };
  } catch (error) {
    if (!(error instanceof GrpcStartError)) throw error;
    return { kind: 'unusable', message: error.message, fingerprint: error.message };
  }
}

async function readPem(what: string, file: string): Promise<Buffer> {
  let pem: Buffer;
  try {
    pem = await readFile(file);
  } catch (error) {
    throw new GrpcStartError(`cannot read the TLS ${what} ${file}: ${errorCode(error)}`, {
      cause: error,
    });
  }
  if (pem.length > PEM_BYTES_MAX) {
    throw new GrpcStartError(`the TLS ${what} ${file} is ${pem.length} bytes long: not a PEM file`);
  }
  return pem;
}

/** What is wrong with the files, one by one and then together; OpenSSL's code names the fault and holds no content. */
function findFault(
  files: TlsFiles,
  { cert, key, ca }: { cert: Buffer; key: Buffer; ca: Buffer | undefined },
): string | undefined {
  const certFault = failure(() => parseBundle(cert));
  if (certFault) return `the TLS certificate ${files.certFile} is not usable PEM (${certFault})`;
  const keyFault = failure(() => createSecureContext({ key }));
  if (keyFault) {
    return `the TLS private key ${files.keyFile} is not usable PEM without a passphrase (${keyFault})`;
  }
  const pairFault = failure(() => createSecureContext({ cert, key }));
  if (pairFault) {
    return `the TLS private key ${files.keyFile} does not fit the certificate ${files.certFile} (${pairFault})`;
  }
  const caFault = ca && failure(() => parseBundle(ca));
  if (caFault) return `the client CA ${files.clientCaFile} is not usable PEM (${caFault})`;
  return undefined;
}

/** OpenSSL skips what it cannot read in a bundle; here every block must be a certificate, and there must be one. */
function parseBundle(pem: Buffer): void {
  const blocks = pem.toString('latin1').split('-----BEGIN CERTIFICATE-----').slice(1);
  if (blocks.length === 0) throw new TypeError('no certificate in it');
  for (const block of blocks) new X509Certificate(`-----BEGIN CERTIFICATE-----${block}`);
}

function failure(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return errorCode(error);
  }
}
