const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A year of the longest kind: beyond it a limit is not a rate, and its times are no longer exact in a double. */
export const DURATION_MS_MAX = 366 * 86_400_000;

/** `1m` → 60000. `undefined`: longer than a year. The text has the schema's form. */
export function durationMs(text: string): number | undefined {
  const ms = Number.parseInt(text, 10) * (UNIT_MS[text.slice(-1)] ?? Number.NaN);
  return ms <= DURATION_MS_MAX ? ms : undefined;
}
