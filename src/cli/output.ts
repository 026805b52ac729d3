import type { Refusal } from '../accounts/result.ts';
import { EXIT, type Flags, type Terminal } from './ports.ts';

/** Control characters, and what turns the direction of the text around it (UAX #9 §2). */
const DRIVES_A_TERMINAL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A line that no terminal obeys, whatever somebody named a key. */
export function printable(line: string): string {
  return line.replace(DRIVES_A_TERMINAL, '\ufffd');
}

/** JSON on one line that says the same, with such characters escaped: a program that reads it gets them back. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    DRIVES_A_TERMINAL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Columns as wide as their widest cell; the head in capitals. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head.map((title) => title.toUpperCase()), ...rows];
  const widths = head.map((_, column) =>
    cells.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function fields(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${value}`);
}

export function timeText(ms: number | null): string {
  return ms === null ? '-' : new Date(ms).toISOString();
}

/** How a command answers: with `--json` one document on standard output, for people lines. */
export interface Reply {
  /** The result. */
  tell(document: unknown, lines: readonly string[]): number;
  /** What is done already, before the result: for people only, since `--json` is one document. */
  progress(line: string): void;
  /** A line on standard error: what a person should know beside the result. */
  note(line: string): void;
  /** Why not, and the exit code for it: a request that cannot be is a matter of usage. */
  refuse(refusal: Refusal): number;
}

export function createReply(terminal: Terminal, flags: Flags): Reply {
  const json = flags['json'] === true;
  return {
    tell(document, lines) {
      if (json) terminal.json(document);
      else for (const line of lines) terminal.out(line);
      return EXIT.ok;
    },
    progress(line) {
      if (!json) terminal.out(line);
    },
    note: (line) => terminal.err(line),
    refuse({ message, reason }) {
      if (json) terminal.json({ error: { reason, message } });
      for (const line of message.split('\n')) terminal.err(`latchkey: ${line}`);
      return reason === 'invalid' ? EXIT.usage : EXIT.failed;
    },
  };
}
