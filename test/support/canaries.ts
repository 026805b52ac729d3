/** Secrets of one test, and what was said while they were about. */
export interface Canaries {
  /** Gives the text back; from now on it must be found nowhere. */
  release(what: string, text: string): string;
  /** What each of them is. */
  names(): readonly string[];
  /** Keeps what somebody said. */
  hear(who: string, ...lines: readonly string[]): void;
  said(): ReadonlyMap<string, readonly string[]>;
  /** Which canary stands in which of these lines. */
  findIn(lines: readonly string[]): readonly string[];
}

/** A line is shown up to here. */
const SHOWN_MAX = 300;

export function createCanaries(): Canaries {
  const texts = new Map<string, string>();
  const said = new Map<string, string[]>();
  return {
    release(what, text) {
      texts.set(what, text);
      return text;
    },
    names: () => [...texts.keys()],
    hear(who, ...lines) {
      said.set(who, [...(said.get(who) ?? []), ...lines]);
    },
    said: () => said,
    findIn: (lines) =>
      [...texts].flatMap(([what, text]) =>
        lines
          .filter((line) => line.includes(text))
          .map((line) => `${what}: ${line.slice(0, SHOWN_MAX)}`),
      ),
  };
}
