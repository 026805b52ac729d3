/** Something that was promised of a part's figures. */
export interface Target {
  readonly name: string;
  readonly found: number;
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
}

/** What a part has measured, ready to be read. */
export interface PartResult {
  /** Of the marks in docs/benchmarks.md. */
  readonly section: string;
  readonly title: string;
  /** Markdown: tables, and lines of plain text where needed. */
  readonly body: string;
  readonly targets: readonly Target[];
}

export function isMet({ found, bound }: Target): boolean {
  return 'atLeast' in bound ? found >= bound.atLeast : found <= bound.atMost;
}

export function targetLine(target: Target): string {
  const { name, found, bound } = target;
  const wanted = 'atLeast' in bound ? `≥ ${bound.atLeast}` : `≤ ${bound.atMost}`;
  return `- ${name}: ${found.toFixed(2)} (target ${wanted}): **${isMet(target) ? 'met' : 'missed'}**`;
}
