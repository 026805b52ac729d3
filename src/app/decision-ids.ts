import { randomBase62 } from '../key-text/base62.ts';
import { systemRandomBytes } from './system.ts';

/**
 * Names for decisions: a random part per process and a counter. Unique over all replicas and restarts; not secret, and
 * cheap enough for every request.
 */
export function decisionIds(): () => string {
  const process = randomBase62(8, systemRandomBytes);
  let count = 0;
  return () => {
    count += 1;
    return `${process}-${count.toString(36)}`;
  };
}
