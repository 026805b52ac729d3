import { z } from 'zod';
import { type Refusal, refusal } from '../accounts/result.ts';

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

const date = z.iso.date();
/** Without an offset a time would mean something else on every machine. */
export const timeWithOffset = z.iso.datetime({ offset: true });

/** When a key ends, from a span (`90d`) or a time; a date is its first moment in UTC. */
export function expiryMs(text: string, wallMs: number): number | Refusal {
  const span = spanMs(text);
  if (span !== undefined) return wallMs + span;
  if (date.safeParse(text).success || timeWithOffset.safeParse(text).success) {
    return Date.parse(text);
  }
  return refusal(
    'invalid',
    `--expires ${JSON.stringify(text)} is no time. Write a span up to 3650d (90d, 12h), a date (2027-01-31, its first moment in UTC) or a time with its offset (2027-01-31T18:00:00Z).`,
  );
}
