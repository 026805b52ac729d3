import type { Environment } from './read-config.ts';

/** The process's environment: the one place where it is read. */
export function environment(): Environment {
  return process.env;
}
