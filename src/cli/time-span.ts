const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Ten years: what is meant to be longer is meant to be for ever. */
const SPAN_MS_MAX = 3650 * 86_400_000;

/** `90d` → milliseconds; `0` is no time at all. `undefined` for anything else. */
export function spanMs(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^([1-9][0-9]{0,8})([smhd])$/.exec(text);
  const unitMs = UNIT_MS.get(match?.[2] ?? '');
  if (match === null || unitMs === undefined) return undefined;
  const ms = Number(match[1]) * unitMs;
  return ms <= SPAN_MS_MAX ? ms : undefined;
}
