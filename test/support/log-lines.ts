export type LogLine = Readonly<Record<string, unknown>>;

/** Each line is parsed once: tests look again and again. */
export function parsedLines(lines: () => readonly string[]): () => readonly LogLine[] {
  const parsed: LogLine[] = [];
  return () => {
    for (const line of lines().slice(parsed.length)) parsed.push(parseLine(line));
    return parsed;
  };
}

/** Whatever is no JSON is kept: a test that looks for secrets must see it. */
function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line);
  } catch {
    return { unparsed: line };
  }
}

export function hasFields(line: LogLine, fields: LogLine): boolean {
  return Object.entries(fields).every(([name, value]) => line[name] === value);
}
