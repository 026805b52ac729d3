import type { Refusal } from '../accounts/result.ts';
import { EXIT, type Terminal } from './ports.ts';

/** Text from the store, made safe for a terminal: no escape sequence of somebody's key name is obeyed. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
}

/** Columns as wide as their widest cell; the head in capitals. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [
    head.map((title) => title.toUpperCase()),
    ...rows.map((row) => row.map(printable)),
  ];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function fields(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${printable(value)}`);
}

export function timeText(ms: number | null): string {
  return ms === null ? '-' : new Date(ms).toISOString();
}

/** Tells a refusal and gives the exit code: a request that cannot be is a matter of usage. */
export function refuse(terminal: Terminal, { message, reason }: Refusal, json: boolean): number {
  if (json) terminal.out(JSON.stringify({ error: { reason, message } }));
  for (const line of message.split('\n')) terminal.err(`latchkey: ${line}`);
  return reason === 'invalid' ? EXIT.usage : EXIT.failed;
}
