/** Collections of one stretch of time, as `--trace-gc` tells of them. */
export interface GcSummary {
  readonly scavenges: number;
  readonly markCompacts: number;
  readonly totalMs: number;
  readonly longestMs: number;
}

/**
 * `[7:0x…]   123 ms: Scavenge 12.3 (15.1) -> 11.2 (16.0) MB, pooled: 0.0 MB, 1.23 / 0.00 ms  (…) allocation failure;`, or with
 * `Mark-Compact (reduce)` or `Incremental Mark-Compact` in its place.
 */
const LINE =
  /^\[\d+:0x[0-9a-f]+\]\s+\d+ ms: (?:\w+ )?(Scavenge|Mark-Compact)\b.* MB, (?:.*, )?([\d.]+) \/ [\d.]+ ms/;

export function summarizeGc(lines: readonly string[]): GcSummary {
  const pauses = lines.flatMap((line) => {
    const [, kind, ms] = LINE.exec(line) ?? [];
    return kind === undefined ? [] : [{ kind, ms: Number(ms) }];
  });
  const scavenges = pauses.filter(({ kind }) => kind === 'Scavenge').length;
  return {
    scavenges,
    markCompacts: pauses.length - scavenges,
    totalMs: pauses.reduce((sum, { ms }) => sum + ms, 0),
    longestMs: Math.max(0, ...pauses.map(({ ms }) => ms)),
  };
}
