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

const NARROW = /^[\u0020-\u024f]*$/;
/** What takes two places on a terminal: the wide characters of East Asia (UAX #11) and emoji (UTS #51). */
const WIDE =
  /^(?:(?![\uff61-\uffdc])[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|.\ufe0f)/u;
const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** How many places of a terminal a line takes. */
export function displayWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  let width = 0;
  for (const { segment } of characters.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** Columns as wide as their widest cell; the head in capitals. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head.map((title) => title.toUpperCase()), ...rows].map((row) =>
    row.map((text) => ({ text, width: displayWidth(text) })),
  );
  const widths = head.map((_, column) =>
    cells.reduce((most, row) => Math.max(most, row[column]?.width ?? 0), 0),
  );
  return cells.map((row) =>
    row
      .map(({ text, width }, column) => text + ' '.repeat((widths[column] ?? width) - width))
      .join('  ')
      .trimEnd(),
  );
}

export function fields(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${value}`);
}

/** ISO 8601 in UTC, to the second; `-` for no time. */
export function timeText(ms: number | null): string {
  return ms === null ? '-' : new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** How a command answers: with `--json` one document on standard output, for people lines. */
export interface Reply {
  /** The result. */
  tell(document: unknown, lines: readonly string[]): number;
  /** What is done already, before the result: for people only, since `--json` is one document. */
  progress(line: string): void;
  /** A line on standard error: what a person should know beside the result. */
  note(line: string): void;
  /** The same for people only: a program can tell by the result. */
  hint(line: string): void;
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
    hint(line) {
      if (!json) terminal.err(line);
    },
    refuse({ message, reason }) {
      if (json) terminal.json({ error: { reason, message } });
      for (const line of message.split('\n')) terminal.err(`latchkey: ${line}`);
      return reason === 'invalid' ? EXIT.usage : EXIT.failed;
    },
  };
}
