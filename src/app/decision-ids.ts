import { randomBase62 } from '../key-text/base62.ts';
import { systemRandomBytes } from './system.ts';

/** 2^32 divided by the golden ratio: odd, so that multiplying by it permutes the 32-bit numbers. */
const SCATTER = 0x9e3779b1;

/**
 * Names for decisions: a random part per process and a counter, scattered, since clients see them and how many requests there
 * are is not theirs to read off. Unique over all replicas and restarts, for 2^32 decisions of a process.
 */
export function decisionIds(): () => string {
  const process = randomBase62(8, systemRandomBytes);
  let count = Math.trunc(Math.random() * 2 ** 32);
  return () => {
    count += 1;
    return `${process}-${(Math.imul(count, SCATTER) >>> 0).toString(36)}`;
  };
}
