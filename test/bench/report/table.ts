/** A table in Markdown whose columns are aligned in plain text, too. All columns but the first hold figures. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, ...[title, ...rows.map((row) => row[column] ?? '')].map((cell) => cell.length)),
  );
  const line = (cells: readonly string[]): string => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? '';
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

export const whole = (value: number): string =>
  Math.round(value).toLocaleString('en-US', { useGrouping: true });

export const decimal = (value: number, digits = 1): string => value.toFixed(digits);

/** Two digits that count, for times and ratios whose size is not known beforehand. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return whole(value);
  return value.toFixed(size >= 10 ? 1 : 2);
}

export const percent = (share: number): string => `${Math.round(100 * share)} %`;

export const inMs = (microseconds: number): string => short(microseconds / 1000);
